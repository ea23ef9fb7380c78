import { startCli } from '../support/cli-process'
import { createDeployment, type Deployment, names, quickJobs } from '../support/deployment'
import { createTopics, describeKafka, uniqueTopic } from '../support/kafka'
import { requestsCsv } from '../support/move-stage'
import { readTopic } from '../support/read-topic'
import { untilReady, untilUnready } from '../support/readiness'
import { useRestartableKafka } from '../support/suite-kafka'

jest.setTimeout(120_000)

const requestIdOf = (value: Buffer | null): string =>
  (JSON.parse(String(value)) as { requestId: string }).requestId

describeKafka('while its broker fails,', () => {
  const kafka = useRestartableKafka()

  describe('device-move submit', () => {
    it('says up to which line its requests are acknowledged', async () => {
      const [link] = kafka().links
      if (link === undefined) throw new Error('a link was asked for')
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
      const file = requestsCsv(20_000)
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

  describe('a service', () => {
    let deployment: Deployment
    afterEach(() => deployment.stop())

    it('reports that the broker is silent, and goes on when it answers again', async () => {
      deployment = await createDeployment(quickJobs)
      const service = deployment.run()
      await deployment.submit(names('before', 20))
      await deployment.settled(20)
      await untilReady(service)
      kafka().freeze()
      await untilUnready(service, 'no sign of life from Kafka')
      kafka().thaw()
      await untilReady(service)
      await deployment.submit(names('after', 20))
      expect(await deployment.settled(40)).toMatchObject({ moved: 40, gap: 0 })
    })

    it('waits for a broker that is gone, and goes on when it is back', async () => {
      deployment = await createDeployment(quickJobs)
      const service = deployment.run()
      await deployment.submit(names('before', 20))
      await deployment.settled(20)
      await untilReady(service)
      await kafka().halt('kill')
      await untilUnready(service, '')
      await kafka().start()
      await untilReady(service)
      await deployment.submit(names('after', 20))
      expect(await deployment.settled(40)).toMatchObject({ moved: 40, gap: 0 })
    })
  })
})
