import { createDeployment, type Deployment, names } from '../support/deployment'
import { describeKafka } from '../support/kafka'
import { readTopic } from '../support/read-topic'
import { type RestartablePostgres, startRestartablePostgres } from '../support/restartable-postgres'
import { until } from '../support/until'

jest.setTimeout(120_000)

describeKafka('a database that restarts under load', () => {
  let shared: string | undefined
  let postgres: RestartablePostgres
  let deployment: Deployment

  beforeEach(async () => {
    shared = process.env.TEST_POSTGRES_URL
    postgres = await startRestartablePostgres(0)
    process.env.TEST_POSTGRES_URL = postgres.url
    deployment = await createDeployment(
      ['--init-ms', '50', '--base-ms', '300', '--per-device-ms', '0.05', '--qps', '2'],
      { BATCH_MAX_DEVICES: '150' },
    )
  })
  afterEach(async () => {
    await deployment.stop()
    if (shared !== undefined) process.env.TEST_POSTGRES_URL = shared
    await postgres.stop()
  })

  it('costs nothing, whether it stops in order or crashes, because the service waits and goes on by itself', async () => {
    await deployment.submit(names('meter', 900))
    const service = deployment.run()
    const moved = async () => (await deployment.conservation().catch(() => null))?.moved ?? 0
    for (const how of ['fast', 'immediate'] as const) {
      const before = await moved()
      await until(async () => (await moved()) > before)
      await postgres.halt(how)
      await deployment.submit(names(how, 150))
      await postgres.start()
    }
    expect(await deployment.settled(1_200)).toMatchObject({ accepted: 1_200, moved: 1_200, gap: 0 })
    await deployment.published()
    const results = (await readTopic(deployment.topics.results)).map(
      ({ value }) => JSON.parse(String(value)) as { id: string },
    )
    expect(results).toHaveLength(1_200)
    expect(new Set(results.map(({ id }) => id)).size).toBe(1_200)
    expect(await deployment.truth()).toMatchObject({ movedTwice: 0, moves: 1_200 })
    expect(await deployment.audit()).toMatchObject({ breaches: 0 })
    // The process has been the same all the time, and it ends in order.
    service.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  })
})
