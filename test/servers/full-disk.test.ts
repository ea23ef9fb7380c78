import type { CliProcess } from '../support/cli-process'
import { query } from '../support/database'
import { createDeployment, type Deployment, names, quickJobs } from '../support/deployment'
import { readTopic } from '../support/read-topic'
import { readiness, untilReady, untilUnready } from '../support/readiness'
import { type RestartableKafka, startRestartableKafka } from '../support/restartable-kafka'
import { type RestartablePostgres, startRestartablePostgres } from '../support/restartable-postgres'
import { createSmallDisk, describeSmallDisk, type SmallDisk } from '../support/small-disk'
import { until } from '../support/until'

jest.setTimeout(180_000)

/** Devices that are sent at once while a disk is being filled. */
const list = 2_000

/** Fills the disk until the server fails. Gives how many lists were sent in all. */
type FillUp = (here: Deployment, service: CliProcess) => Promise<number>

describeSmallDisk('on a disk that is full,', () => {
  let disk: SmallDisk
  let deployment: Deployment | undefined
  const shared = { postgres: process.env.TEST_POSTGRES_URL, kafka: process.env.TEST_KAFKA_BROKERS }

  /** The deployment ends before the servers that it uses. */
  const stopDeployment = async (): Promise<void> => {
    await deployment?.stop()
    deployment = undefined
  }
  afterEach(() => {
    process.env.TEST_POSTGRES_URL = shared.postgres
    process.env.TEST_KAFKA_BROKERS = shared.kafka
  })

  const expectAllOnce = async (here: Deployment, count: number): Promise<void> => {
    expect(await here.settled(count)).toMatchObject({ moved: count, gap: 0 })
    await here.published()
    const results = (await readTopic(here.topics.results)).map(
      ({ value }) => JSON.parse(String(value)) as { id: string },
    )
    expect(new Set(results.map(({ id }) => id)).size).toBe(count)
    expect(results).toHaveLength(count)
    expect(await here.truth()).toMatchObject({ movedTwice: 0, moves: count })
  }

  describe('PostgreSQL', () => {
    let postgres: RestartablePostgres
    beforeEach(async () => {
      disk = createSmallDisk(256)
      postgres = await startRestartablePostgres(0, disk.path)
      process.env.TEST_POSTGRES_URL = postgres.url
    })
    afterEach(async () => {
      await stopDeployment()
      await postgres.stop()
      await disk.remove()
    })

    /** The server still has room in its files, so it is filled until it refuses. */
    const fillTables: FillUp = async (here, service) => {
      let lists = 1
      await until(async () => {
        if ((await readiness(service)).status === 503) return true
        if (lists < 20) await here.submit(names(`during-${++lists}`, list))
        await disk.fill()
        return false
      }, 500)
      await untilUnready(service, 'No space left on device')
      return lists
    }
    /** Each switch takes a new file of the log, and the server ends itself when it cannot make one. */
    const fillLog: FillUp = async (here, service) => {
      await here.submit(names('during', list))
      const switchLog = `select pg_logical_emit_message(true, 'x', 'y'), pg_switch_wal()`
      await until(async () => {
        await disk.fill()
        return query(postgres.url, switchLog).then(
          () => false,
          () => true,
        )
      })
      await untilUnready(service, 'the database does not answer')
      return 2
    }

    it.each<[string, FillUp]>([
      ['refuses to write', fillTables],
      ['cannot write its log', fillLog],
    ])('%s: the service waits and says so, and goes on when there is room again', async (_what, fillUp) => {
      const here = await createDeployment(quickJobs)
      deployment = here
      const service = here.run()
      await here.submit(names('before', list))
      await here.settled(list)
      await disk.fill()
      const lists = await fillUp(here, service)
      await disk.free()
      // A server that could not write its log has ended itself. Whatever supervises it starts it again.
      const answers = await here.conservation().then(
        () => true,
        () => false,
      )
      if (!answers) {
        await postgres.halt('fast')
        await postgres.start()
      }
      await untilReady(service)
      await expectAllOnce(here, lists * list)
      service.kill('SIGTERM')
      expect(await service.ended).toBe(0)
    })
  })

  describe('Kafka', () => {
    let kafka: RestartableKafka
    beforeEach(async () => {
      disk = createSmallDisk(96)
      kafka = await startRestartableKafka(0, disk.path)
      process.env.TEST_KAFKA_BROKERS = kafka.brokers.join(',')
    })
    afterEach(async () => {
      await stopDeployment()
      await kafka.stop()
      await disk.remove()
    })

    it('ends itself, the service waits, and goes on when it was started with room again', async () => {
      const here = await createDeployment(quickJobs)
      deployment = here
      const service = here.run()
      await here.submit(names('before', list))
      await here.settled(list)
      await here.published()
      await disk.fill()
      // Whether it is acknowledged or not: it is sent again below, and a request counts once by its id.
      const sending = here.submit(names('during', list)).catch(() => undefined)
      await until(async () => !kafka.isRunning())
      await untilUnready(service, '')
      await kafka.halt('stop')
      await disk.free()
      await kafka.start()
      await sending
      await untilReady(service)
      await here.submit(names('during', list))
      await expectAllOnce(here, 2 * list)
    })
  })
})
