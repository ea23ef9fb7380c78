import { startCli } from '../support/cli-process'
import { createTopics, describeKafka, testBrokers, uniqueTopic } from '../support/kafka'
import { readTopic } from '../support/read-topic'
import { type RestartableKafka, startRestartableKafka } from '../support/restartable-kafka'
import { startTcpProxy } from '../support/tcp-proxy'
import { until } from '../support/until'

jest.setTimeout(120_000)

const csvOf = (requests: number): string =>
  [
    'requestId,deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid',
    ...Array.from(
      { length: requests },
      (_, n) => `r${n},meter-${n},a1BwAGVexmp,iot-a,iot-b,1984000000000001`,
    ),
  ].join('\n')

const requestIdOf = (value: Buffer | null): string =>
  (JSON.parse(String(value)) as { requestId: string }).requestId

describe('submit without a broker', () => {
  it('says so in one sentence, and that nothing was sent', async () => {
    const cli = startCli(['submit', '-'], { KAFKA_BROKERS: '127.0.0.1:1' }, csvOf(3))
    expect(await cli.ended).toBe(1)
    expect(cli.stdout).toEqual([])
    expect(cli.stderr).toEqual([
      expect.stringMatching(
        /^Kafka at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED.*\. Check that a broker .*\. Nothing was sent\.$/,
      ),
    ])
  })

  it('says how far it was when it is interrupted', async () => {
    // Nobody answers there.
    const link = await startTcpProxy(1)
    link.swallow('both')
    const cli = startCli(['submit', '-'], { KAFKA_BROKERS: `127.0.0.1:${link.port}` }, csvOf(3))
    await until(async () => link.connections > 0)
    cli.kill('SIGINT')
    expect(await cli.ended).toBe(130)
    expect(cli.stderr).toEqual(['Interrupted. Nothing was sent.'])
    await link.close()
  })
})

describeKafka('submit to a broker', () => {
  const shared = testBrokers()?.join(',')
  let kafka: RestartableKafka | null = null

  afterEach(async () => {
    process.env.TEST_KAFKA_BROKERS = shared
    await kafka?.stop()
    kafka = null
  })

  it('names the topic that is missing', async () => {
    const topic = uniqueTopic('nobody-made')
    const environment = { KAFKA_BROKERS: shared ?? '', KAFKA_REQUESTS_TOPIC: topic }
    const cli = startCli(['submit', '-'], environment, csvOf(3))
    expect(await cli.ended).toBe(1)
    expect(cli.stderr).toEqual([expect.stringContaining(`topic "${topic}" not found: create it, or set`)])
  })

  it('says up to which line requests are acknowledged when the broker goes away', async () => {
    kafka = await startRestartableKafka(1)
    const [link] = kafka.links
    if (link === undefined) throw new Error('a link was asked for')
    process.env.TEST_KAFKA_BROKERS = kafka.brokers.join(',')
    const topic = uniqueTopic('submit')
    await createTopics([topic], 3)
    let bytes = 0
    link.inspect((piece, direction) => {
      if (direction === 'up') bytes += piece.length
      if (bytes < 800_000) return 'pass'
      link.refuse()
      return 'cut'
    })
    const environment = { KAFKA_BROKERS: `127.0.0.1:${link.port}`, KAFKA_REQUESTS_TOPIC: topic }
    const file = csvOf(20_000)
    const cli = startCli(['submit', '-'], environment, file)
    expect(await cli.ended).toBe(1)
    const said = cli.stderr.join('\n')
    expect(said).toMatch(
      /^Kafka at 127\.0\.0\.1:\d+ cannot be used: .* Send the same list again: a requestId is/,
    )
    const [, requests = 0, line = 0] = (
      /\. (\d+) requests were acknowledged, up to line (\d+); some/.exec(said) ?? []
    ).map(Number)
    expect(requests).toBeGreaterThan(0)
    expect(line).toBe(requests + 1)
    const written = new Set((await readTopic(topic)).map(({ value }) => requestIdOf(value)))
    for (let n = 0; n < requests; n += 1) expect(written).toContain(`r${n}`)
    expect(written.size).toBeLessThan(20_000)

    link.heal()
    const again = startCli(['submit', '-'], environment, file)
    expect(await again.ended).toBe(0)
    expect(new Set((await readTopic(topic)).map(({ value }) => requestIdOf(value))).size).toBe(20_000)
  })
})
