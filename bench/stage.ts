/** The deployment of the tests on a PostgreSQL and a Kafka of its own, with the settings of an operator. */
import { startKafka } from '../src/tools/embedded/kafka'
import { startEmbeddedPostgres } from '../src/tools/embedded/postgres'
import { createTestDatabase } from '../test/support/database'
import { createDeployment, type Deployment } from '../test/support/deployment'

/** The defaults of the service, in the place of the short times of the tests. */
const asShipped = { BATCH_MAX_WAIT_MS: '5000', RETRY_BACKOFF_MS: '30000', CREATE_SETTLE_MS: '60000' }

/** Runs `measure` on a deployment, which is gone afterwards. */
export const onStage = async <T>(
  simulatorFlags: readonly string[],
  settings: Readonly<Record<string, string>>,
  measure: (deployment: Deployment) => Promise<T>,
): Promise<T> => {
  const kafka = await startKafka({
    brokers: (process.env.KAFKA_BROKERS ?? '').split(',').filter(broker => broker !== ''),
  })
  if (kafka.kind !== 'running') throw new Error(`this bench needs Kafka: ${kafka.reason}`)
  const postgres = await startEmbeddedPostgres()
  try {
    // The support of the tests looks for its servers here.
    process.env.TEST_KAFKA_BROKERS = kafka.brokers.join(',')
    process.env.TEST_POSTGRES_URL = postgres.url
    const deployment = await createDeployment(
      simulatorFlags,
      { ...asShipped, ...settings },
      { partitions: 6, makeDatabase: createTestDatabase },
    )
    try {
      return await measure(deployment)
    } finally {
      await deployment.stop()
    }
  } finally {
    await kafka.stop()
    await postgres.stop()
  }
}

export const deviceNames = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `meter-${String(first + index).padStart(7, '0')}`)

/** Spreads requests over this number of routes, by target instance. */
export const overRoutes =
  (routes: number) =>
  (index: number): { readonly targetInstanceId: string } => ({
    targetInstanceId: `iot-cn-target${index % routes}`,
  })
