import { createDeployment, type Deployment } from '../support/deployment'
import { type RestartableKafka, startRestartableKafka } from '../support/restartable-kafka'
import { type RestartablePostgres, startRestartablePostgres } from '../support/restartable-postgres'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'
import type { ChaosOptions } from './options'
import type { LinkName } from './schedule'

/** Everything but the replicas: servers, simulator, topics, database, and each replica's links to them. */
export interface Stage {
  readonly deployment: Deployment
  readonly kafka: RestartableKafka
  readonly postgres: RestartablePostgres
  readonly links: readonly Readonly<Record<LinkName, TcpProxy>>[]
  /** The environment variables that make a replica use its links. */
  environmentOf(index: number): Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** It leaves room for looking up devices, since the other calls have precedence. */
const quotaQps = '40'

/** Jobs are short. The quota is that of a real account except for the shared cap, with which look-ups would take hours. */
const simulatorFlags = ({ seed, faults }: ChaosOptions): string[] => {
  const always = {
    seed,
    qps: quotaQps,
    'init-ms': 200,
    'base-ms': 1200,
    'per-device-ms': 0.5,
    'file-format': 'random',
    'file-codes': 'random',
    'file-keys': 'random',
    'latency-max-ms': 50,
    'device-faults': JSON.stringify([
      { code: 'iot.system.SystemException', rate: 0.01 },
      { code: 'iot.common.AuthActionPermissionDeny', rate: 0.001, permanent: true },
    ]),
  }
  const faulty = {
    'throttle-rate': 0.01,
    'server-error-rate': 0.01,
    'lost-response-rate': 0.01,
    'lost-request-rate': 0.01,
    'late-create-rate': 0.01,
    'list-lag-ms': 300,
    'interrupted-rate': 0.02,
    'missing-row-rate': 0.0005,
    'gzip-file-rate': 0.05,
    'file-error-rate': 0.02,
    'foreign-every-ms': 8_000,
  }
  return Object.entries({ ...always, ...(faults ? faulty : {}) }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ])
}

const settings = ({ batch }: ChaosOptions): Record<string, string> => ({
  QUOTA_QPS: quotaQps,
  BATCH_MAX_DEVICES: String(batch),
  BATCH_MAX_WAIT_MS: '3000',
  RETRY_BACKOFF_MS: '1000',
  // It is longer than a link delays a call and a create may be late.
  CREATE_SETTLE_MS: '8000',
  CALL_TIMEOUT_MS: '6000',
})

const atPort = (url: string, port: number): string => {
  const moved = new URL(url)
  moved.port = String(port)
  return moved.href
}

export const setStage = async (options: ChaosOptions): Promise<Stage> => {
  const { replicas } = options
  const starting = { kafka: startRestartableKafka(replicas), postgres: startRestartablePostgres(replicas) }
  const [kafka, postgres] = await Promise.all([starting.kafka, starting.postgres])
  // The tests' support finds its servers by these.
  process.env.TEST_KAFKA_BROKERS = kafka.brokers.join(',')
  process.env.TEST_POSTGRES_URL = postgres.url
  const deployment = await createDeployment(simulatorFlags(options), settings(options))
  const simulatorPort = Number(new URL(deployment.simulatorUrl).port)
  const links = await Promise.all(
    Array.from({ length: replicas }, async (_, index) => {
      const [toKafka, toPostgres] = [kafka.links[index], postgres.links[index]]
      if (toKafka === undefined || toPostgres === undefined) throw new Error(`no links for replica ${index}`)
      return { kafka: toKafka, postgres: toPostgres, simulator: await startTcpProxy(simulatorPort) }
    }),
  )
  return {
    deployment,
    kafka,
    postgres,
    links,
    environmentOf: index => {
      const link = links[index]
      if (link === undefined) throw new Error(`no replica ${index}`)
      return {
        KAFKA_BROKERS: `127.0.0.1:${link.kafka.port}`,
        DATABASE_URL: atPort(deployment.databaseUrl, link.postgres.port),
        IOT_ENDPOINT: `http://127.0.0.1:${link.simulator.port}`,
      }
    },
    stop: async () => {
      await deployment.stop()
      await Promise.all(links.map(({ simulator }) => simulator.close()))
      await kafka.stop()
      await postgres.stop()
    },
  }
}
