import { Pool } from 'pg'
import { type CliProcess, startCli } from './cli-process'
import { createTestDatabase } from './database'
import { createTopics, produceRecords, testBrokers, uniqueTopic } from './kafka'
import { until } from './until'

export interface Deployment {
  readonly environment: Readonly<Record<string, string>>
  readonly topics: { readonly requests: string; readonly results: string; readonly deadLetters: string }
  readonly databaseUrl: string
  readonly simulatorUrl: string
  /** Starts a replica of the service; `more` is added to its environment. */
  run(more?: Readonly<Record<string, string>>): CliProcess
  /** One request a device. */
  submit(devices: readonly string[], more?: Readonly<Record<string, unknown>>): Promise<void>
  /** One request for all of them: they are taken in at once, so one batch holds them, however slow the machine is. */
  submitTogether(devices: readonly string[]): Promise<void>
  conservation(): Promise<Readonly<Record<string, number>>>
  /** Rows of the outbox that are still to be published. */
  unpublished(): Promise<number>
  /** Waits until so many moves are taken in and nothing is under way. */
  settled(accepted: number): Promise<Readonly<Record<string, number>>>
  /** The simulator's own view: what happened to devices, and how the quota was kept. */
  truth(): Promise<{ readonly movedTwice: unknown; readonly [name: string]: unknown }>
  audit(): Promise<{ readonly breaches: unknown; readonly [name: string]: unknown }>
  stop(): Promise<void>
}

const credentials = {
  ALIBABA_CLOUD_ACCESS_KEY_ID: 'acceptance',
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'acceptance-secret',
}

export const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(6, '0')}`)

/** Simulator, database and topics of a suite's own; the service's replicas are started by the test. */
export const createDeployment = async (
  simulatorFlags: readonly string[] = [],
  settings: Readonly<Record<string, string>> = {},
): Promise<Deployment> => {
  const database = await createTestDatabase()
  const topic = uniqueTopic('acceptance')
  const topics = {
    requests: `${topic}.requests`,
    results: `${topic}.results`,
    deadLetters: `${topic}.dead-letter`,
  }
  await createTopics(Object.values(topics), 4)
  const simulator = startCli(['simulate', ...simulatorFlags], credentials)
  const { listening } = JSON.parse(await simulator.line(line => line.startsWith('{"listening"'))) as {
    listening: string
  }
  // A pool, since the database may be started again in the middle.
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
    IOT_ENDPOINT: listening,
    BATCH_MAX_WAIT_MS: '300',
    RETRY_BACKOFF_MS: '300',
    CREATE_SETTLE_MS: '2000',
    HTTP_PORT: '0',
    ...settings,
  }
  const getJson = async <T>(path: string): Promise<T> =>
    (await (await fetch(`${listening}${path}`)).json()) as T

  const conservation = async (): Promise<Record<string, number>> => {
    const { rows } = await pool.query<Record<string, string>>('select * from device_move.conservation')
    return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([name, value]) => [name, Number(value)]))
  }
  const submit: Deployment['submit'] = async (devices, more = {}) => {
    const base = {
      productKey: 'a1BwAGVexmp',
      sourceInstanceId: 'iot-060a02m5',
      targetInstanceId: 'iot-cn-6ja9x1',
      targetUid: '1984000000000001',
    }
    for (let from = 0; from < devices.length; from += 1_000)
      await produceRecords(
        topics.requests,
        devices.slice(from, from + 1_000).map(deviceName => ({
          key: `${base.productKey}/${deviceName}`,
          value: JSON.stringify({ requestId: `req/${deviceName}`, deviceName, ...base, ...more }),
        })),
      )
  }
  return {
    environment,
    topics,
    databaseUrl: database.url,
    simulatorUrl: listening,
    run: (more = {}) => {
      const replica = startCli(['run'], { ...environment, ...more })
      replicas.push(replica)
      return replica
    },
    submit,
    submitTogether: devices => submit(['together'], { deviceName: undefined, deviceNames: devices }),
    conservation,
    unpublished: async () => {
      const { rows } = await pool.query<{ count: string }>('select count(*) from device_move_journal.outbox')
      return Number(rows[0]?.count)
    },
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
