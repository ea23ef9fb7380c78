import { Pool } from 'pg'
import { type CliProcess, startCli, startSimulator } from './cli-process'
import { createMigratedDatabase, type TestDatabase } from './database'
import { createTopics, produceRecords, testBrokers, uniqueTopic } from './kafka'
import { until } from './until'

export interface Deployment {
  readonly environment: Readonly<Record<string, string>>
  readonly topics: { readonly requests: string; readonly results: string; readonly deadLetters: string }
  readonly databaseUrl: string
  readonly simulatorUrl: string
  /** Starts a replica of the service; `more` is added to its environment. */
  run(more?: Readonly<Record<string, string>>): CliProcess
  /** Sends one request a device, with these fields beside or instead of the usual ones. */
  submit(devices: readonly string[], more?: RequestFields | ((index: number) => RequestFields)): Promise<void>
  /** Sends one request for all of them. They are taken in at once, so one batch holds them on any machine. */
  submitTogether(devices: readonly string[]): Promise<void>
  conservation(): Promise<Readonly<Record<string, number>>>
  /** Rows of the outbox that are still to be published. */
  unpublished(): Promise<number>
  /** Waits until everything that is settled is on its topic. */
  published(): Promise<void>
  /** Waits until `accepted` moves are taken in and none is pending, in flight or waiting to be retried. */
  settled(accepted: number): Promise<Readonly<Record<string, number>>>
  /** The simulator's own account of what happened to the devices. */
  truth(): Promise<{ readonly movedTwice: unknown; readonly [name: string]: unknown }>
  audit(): Promise<{ readonly breaches: unknown; readonly [name: string]: unknown }>
  stop(): Promise<void>
}

type RequestFields = Readonly<Record<string, unknown>>

export interface DeploymentOptions {
  /** Of each topic. Default: 4. */
  readonly partitions?: number
  /** Default: one that has this release's schema already. */
  readonly makeDatabase?: () => Promise<TestDatabase>
}

const credentials = {
  ALIBABA_CLOUD_ACCESS_KEY_ID: 'acceptance',
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'acceptance-secret',
}

/** Simulated jobs that last 0.2 s, whatever they hold. */
export const quickJobs = ['--init-ms', '0', '--base-ms', '200', '--per-device-ms', '0']

/** What a request says besides its id and its device: one route for all. */
export const routeFields = {
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-060a02m5',
  targetInstanceId: 'iot-cn-6ja9x1',
  targetUid: '1984000000000001',
}

export const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(6, '0')}`)

/** The requests of one send: of 1,000 the client holds a few hundred kB. */
const requestsAtOnce = 1_000

/**
 * A whole deployment for a test or a measurement: simulator, database and topics of its own, on the server and the
 * brokers of the environment. Its replicas of the service are started by `run`.
 */
export const createDeployment = async (
  simulatorFlags: readonly string[] = [],
  settings: Readonly<Record<string, string>> = {},
  { partitions = 4, makeDatabase = createMigratedDatabase }: DeploymentOptions = {},
): Promise<Deployment> => {
  const database = await makeDatabase()
  const topic = uniqueTopic('acceptance')
  const topics = {
    requests: `${topic}.requests`,
    results: `${topic}.results`,
    deadLetters: `${topic}.dead-letter`,
  }
  await createTopics(Object.values(topics), partitions)
  const { process: simulator, url: simulatorUrl } = await startSimulator(simulatorFlags, credentials)
  // This is a pool because the database may be restarted in the middle of a test.
  const pool = new Pool({ connectionString: database.url, max: 1 })
  pool.on('error', () => undefined)
  const replicas: CliProcess[] = []
  const environment = {
    ...credentials,
    KAFKA_BROKERS: (testBrokers() ?? []).join(','),
    KAFKA_GROUP_ID: topic,
    KAFKA_REQUESTS_TOPIC: topics.requests,
    KAFKA_RESULTS_TOPIC: topics.results,
    KAFKA_DEAD_LETTER_TOPIC: topics.deadLetters,
    DATABASE_URL: database.url,
    IOT_ENDPOINT: simulatorUrl,
    BATCH_MAX_WAIT_MS: '300',
    RETRY_BACKOFF_MS: '300',
    CREATE_SETTLE_MS: '2000',
    HTTP_PORT: '0',
    ...settings,
  }
  const getJson = async <T>(path: string): Promise<T> =>
    (await (await fetch(`${simulatorUrl}${path}`)).json()) as T

  const conservation = async (): Promise<Record<string, number>> => {
    const { rows } = await pool.query<Record<string, string>>('select * from device_move.conservation')
    return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([name, value]) => [name, Number(value)]))
  }
  const submit: Deployment['submit'] = async (devices, more = {}) => {
    const fieldsOf = typeof more === 'function' ? more : () => more
    const records = devices.map((deviceName, index) => ({
      key: `${routeFields.productKey}/${deviceName}`,
      value: JSON.stringify({
        requestId: `req/${deviceName}`,
        deviceName,
        ...routeFields,
        ...fieldsOf(index),
      }),
    }))
    await produceRecords(topics.requests, records, requestsAtOnce)
  }
  const unpublished = async (): Promise<number> => {
    const { rows } = await pool.query<{ count: string }>('select count(*) from device_move_journal.outbox')
    return Number(rows[0]?.count)
  }
  return {
    environment,
    topics,
    databaseUrl: database.url,
    simulatorUrl,
    run: (more = {}) => {
      const replica = startCli(['run'], { ...environment, ...more })
      replicas.push(replica)
      return replica
    },
    submit,
    submitTogether: devices => submit(['together'], { deviceName: undefined, deviceNames: devices }),
    conservation,
    unpublished,
    published: () => until(async () => (await unpublished()) === 0),
    settled: async accepted => {
      let counts: Record<string, number> = {}
      await until(async () => {
        // Before the service has migrated there is no view.
        counts = await conservation().catch(() => ({}))
        const { pending = 1, in_flight = 1, retrying = 1 } = counts
        return (counts.accepted ?? 0) >= accepted && pending + in_flight + retrying === 0
      })
      return counts
    },
    truth: () => getJson('/_simulator/truth'),
    audit: () => getJson('/_simulator/audit'),
    stop: async () => {
      for (const process of [...replicas, simulator]) process.kill('SIGKILL')
      await Promise.all([...replicas, simulator].map(process => process.ended))
      await pool.end()
      await database.drop()
    },
  }
}
