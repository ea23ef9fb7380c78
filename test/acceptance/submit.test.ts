import { startCli } from '../support/cli-process'
import { describeKafka, testBrokers, uniqueTopic } from '../support/kafka'
import { requestsCsv } from '../support/move-stage'
import { readTopic } from '../support/read-topic'
import { startTcpProxy } from '../support/tcp-proxy'
import { until } from '../support/until'

jest.setTimeout(120_000)

describe('device-move submit without a broker', () => {
  it('says so in one sentence, and that nothing was sent', async () => {
    const cli = startCli(['submit', '-'], { KAFKA_BROKERS: '127.0.0.1:1' }, requestsCsv(3))
    expect(await cli.ended).toBe(1)
    expect(cli.stdout).toEqual([])
    expect(cli.stderr).toEqual([
      expect.stringMatching(
        /^Kafka at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED.*\. Check that a broker .*\. Nothing was sent\.$/,
      ),
    ])
  })

  it('says how far it was when it is interrupted', async () => {
    // Nothing answers at port 1.
    const link = await startTcpProxy(1)
    link.swallow('both')
    const cli = startCli(['submit', '-'], { KAFKA_BROKERS: `127.0.0.1:${link.port}` }, requestsCsv(3))
    await until(async () => link.connections > 0)
    cli.kill('SIGINT')
    expect(await cli.ended).toBe(130)
    expect(cli.stderr).toEqual(['Interrupted. Nothing was sent.'])
    await link.close()
  })
})

describeKafka('device-move submit to a broker', () => {
  it('names the topic that is missing', async () => {
    const topic = uniqueTopic('nobody-made')
    const environment = { KAFKA_BROKERS: testBrokers()?.join(',') ?? '', KAFKA_REQUESTS_TOPIC: topic }
    const cli = startCli(['submit', '-'], environment, requestsCsv(3))
    expect(await cli.ended).toBe(1)
    expect(cli.stderr).toEqual([expect.stringContaining(`topic "${topic}" not found: create it, or set`)])
  })

  it('sends the good lines, and reports the others', async () => {
    const topic = uniqueTopic('submit')
    const csv = [
      'requestId,deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid',
      'r1,meter-0001,a1BwAGVexmp,iot-a,iot-b,1984000000000001',
      'r2,bad name,a1BwAGVexmp,iot-a,iot-b,1984000000000001',
      'r3,meter-0003,a1BwAGVexmp,iot-a,iot-a,1984000000000001',
      'r4,meter-0004,a1BwAGVexmp,iot-a,iot-b,1984000000000001',
    ].join('\n')
    const cli = startCli(
      ['submit', '-'],
      {
        KAFKA_BROKERS: (testBrokers() ?? []).join(','),
        KAFKA_REQUESTS_TOPIC: topic,
        KAFKA_CREATE_TOPICS: 'true',
      },
      csv,
    )
    expect(await cli.ended).toBe(3)
    expect(cli.stdout[0]).toContain('2 requests for 2 devices')
    expect(cli.stderr.join('\n')).toContain('bad name')
    const sent = (await readTopic(topic)).map(
      ({ value }) => (JSON.parse(String(value)) as { requestId: string }).requestId,
    )
    expect(sent.sort()).toEqual(['r1', 'r4'])
  })
})
