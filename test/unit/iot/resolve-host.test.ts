import { resolveHost } from '../../../src/iot/results/allowed-host'

const outside = { address: '47.110.177.1', family: 4 }
const inside = { address: '10.1.2.3', family: 4 }
const here = { address: '127.0.0.1', family: 4 }

describe('the addresses of an allowed host', () => {
  it('are used when all are public', async () => {
    const addresses = [outside, { address: '2401:b180::1', family: 6 }]
    expect(await resolveHost('a.aliyuncs.com', async () => addresses)).toEqual({ addresses })
  })

  it.each([
    [[inside], 'a.aliyuncs.com stands for 10.1.2.3: a private address'],
    [[outside, inside], 'a.aliyuncs.com stands for 10.1.2.3: a private address'],
    [[here], 'a.aliyuncs.com stands for 127.0.0.1: a loopback address'],
    [
      [{ address: '100.118.28.52', family: 4 }],
      'a.aliyuncs.com stands for 100.118.28.52: an address inside the provider’s network, as internal endpoints of OSS have',
    ],
    [[], 'a.aliyuncs.com has no address'],
  ])('lead to a refusal: %j', async (addresses, refusal) => {
    expect(await resolveHost('a.aliyuncs.com', async () => addresses)).toEqual({ refusal })
  })

  it('are of this machine when the host is loopback', async () => {
    expect(await resolveHost('localhost', async () => [here])).toEqual({ addresses: [here] })
    expect(await resolveHost('localhost', async () => [outside])).toEqual({
      refusal: 'localhost stands for 47.110.177.1: not this machine',
    })
  })

  it('are asked for without the brackets of a URL', async () => {
    const asked: string[] = []
    await resolveHost('[::1]', async hostname => {
      asked.push(hostname)
      return [{ address: '::1', family: 6 }]
    })
    expect(asked).toEqual(['::1'])
  })
})
