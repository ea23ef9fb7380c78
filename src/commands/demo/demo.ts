/** `device-move demo`: the whole system on this machine, with an example fleet and nothing to configure. */
import { join } from 'node:path'
import type { Config, Environment } from '../../app/config'
import { startMain } from '../../app/main'
import { packageRoot } from '../../app/package-version'
import { kafkaOptions } from '../../app/wiring'
import type { FleetFile } from '../../files/fleet-file'
import { ensureTopics, readRequestLog, withAdmin } from '../../kafka/admin'
import { createPool } from '../../postgres/session/session'
import { ifReachable, inSnapshot } from '../../postgres/session/transaction'
import { isTakenIn, type PartitionEnd, readConservation } from '../../postgres/status/conservation'
import { readRunSummary } from '../../postgres/status/run-summary'
import type { Logger } from '../../telemetry/logger'
import { type Kafka, startKafka } from '../../tools/embedded/kafka'
import { startEmbeddedPostgres } from '../../tools/embedded/postgres'
import { createSimulator } from '../../tools/simulator/simulator'
import { configured, quietLogger } from '../configured'
import { exitCode } from '../exit-code'
import { type Look, untilSettled } from '../move/follow-list'
import { backlogOf, createProgress, createRunCost } from '../move/progress'
import { summaryText } from '../move/report-run'
import { firstSignal } from '../process-end'
import { openFleet, sendRecords } from '../submit/send-records'

export interface DemoFlags {
  readonly keep?: boolean
  readonly file?: string
}

const credentials = { accessKeyId: 'demo', accessKeySecret: 'demo-secret' }

/** The simulated provider fails often enough to show every kind of outcome, and is quick enough to watch. */
const provider = {
  ...credentials,
  seed: 42,
  baseMs: 1_500,
  perDeviceMs: 0.3,
  fileFormat: 'random',
  interruptedRate: 0.04,
  interruptedFile: 'with',
  throttleRate: 0.02,
  deviceFaults: [
    { code: 'iot.device.NotExistedDevice', rate: 0.002, permanent: true },
    { code: 'iot.system.SystemException', rate: 0.01 },
  ],
} as const

const say = (text: string): void => console.log(text)

/** The default quota, and topics of the demonstration's own, since its broker may be shared with others. */
const settings = (
  name: string,
  endpoint: string,
  databaseUrl: string,
  brokers: readonly string[],
): Environment => ({
  DATABASE_URL: databaseUrl,
  IOT_ENDPOINT: endpoint,
  ALIBABA_CLOUD_ACCESS_KEY_ID: credentials.accessKeyId,
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: credentials.accessKeySecret,
  KAFKA_BROKERS: brokers.join(','),
  KAFKA_GROUP_ID: name,
  KAFKA_TRANSACTIONAL_ID: `${name}.publisher`,
  KAFKA_REQUESTS_TOPIC: `${name}.requests`,
  KAFKA_RESULTS_TOPIC: `${name}.results`,
  KAFKA_DEAD_LETTER_TOPIC: `${name}.dead-letter`,
  KAFKA_CREATE_TOPICS: 'true',
  RETRY_BACKOFF_MS: '2000',
  // A thousand look-ups would take a quarter of an hour at two calls a second.
  LOOKUP_MAX_DEVICES: '3',
  HTTP_HOST: '127.0.0.1',
  HTTP_PORT: '0',
})

const queries = (url: string): string => `
  -- ${url}
  select * from device_move.conservation;
  select * from device_move.failures_by_code order by outcomes desc;
  select route_id, moved, failed from device_move.routes order by route_id;
  select job_id, status, devices, moved, failed, retried, calls from device_move.jobs order by batch_id;`

/** What stops the parts that have been started, in the order of their start. */
type Stops = (() => Promise<void>)[]

export const demoCommand = async (flags: DemoFlags): Promise<number> => {
  const startedAt = performance.now()
  // A signal ends the process while the list is read, and the copy of standard input goes with it.
  const fleet = await openFleet(flags.file ?? join(packageRoot, 'examples', 'fleet.csv'))
  const stops: Stops = [fleet.close]
  let interrupted = false
  const signal = firstSignal().then(() => {
    interrupted = true
    process.stderr.write('\n  stopping\n')
  })
  try {
    say('Starting PostgreSQL, Kafka and the provider simulator …')
    const [postgres, kafka, simulator] = await startParts(stops)
    if (kafka.kind === 'unavailable')
      say(
        `No Kafka here, so the same pipeline reads the file instead:\n  ${kafka.reason.replaceAll('\n', '\n  ')}`,
      )
    else say(`Kafka is up (${kafka.origin}).`)
    if (interrupted) return exitCode.interrupted
    await runDemo({
      fleet,
      kafka,
      postgresUrl: postgres.url,
      endpoint: simulator.url,
      stops,
      aborted: () => interrupted,
      startedAt,
      keepUntil: flags.keep === true ? signal : null,
    })
    return interrupted && flags.keep !== true ? exitCode.interrupted : exitCode.done
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
}

/** Starts all three together. Each that is up is stopped at the end, even if another cannot be started. */
const startParts = async (stops: Stops) => {
  const kept = async <T>(starting: Promise<T>, stop: (part: T) => Promise<void>): Promise<T> => {
    const part = await starting
    stops.push(() => stop(part))
    return part
  }
  const simulator = createSimulator(provider)
  const parts = await Promise.allSettled([
    kept(startEmbeddedPostgres({}), part => part.stop()),
    kept(startKafka({ brokers: configured([]).kafkaBrokers ?? [] }), async part =>
      part.kind === 'running' ? part.stop() : undefined,
    ),
    kept(simulator.listen(0), () => simulator.stop()),
  ])
  const [postgres, kafka, listening] = parts
  if (postgres.status === 'rejected') throw postgres.reason
  if (kafka.status === 'rejected') throw kafka.reason
  if (listening.status === 'rejected') throw listening.reason
  return [postgres.value, kafka.value, listening.value] as const
}

/**
 * Sends the list as an upstream system would, its mistakes included, and creates the topics that are missing. Returns
 * the ends of the requests topic with all of it in it.
 */
const sendFleet = async (
  fleet: FleetFile,
  config: Config,
  logger: Logger,
): Promise<readonly PartitionEnd[]> => {
  const { kafkaRequestsTopic: topic, kafkaResultsTopic, kafkaDeadLetterTopic } = config
  const kafka = kafkaOptions(config, logger)
  await withAdmin(kafka, admin => ensureTopics(admin, [topic, kafkaResultsTopic, kafkaDeadLetterTopic], true))
  let requests = 0
  await sendRecords({
    fleet,
    kafka,
    topic,
    keyOf: record => `${record.position.offset}`,
    onSent: records => {
      requests += records
    },
  })
  const { partitions } = await withAdmin(kafka, admin => readRequestLog(admin, topic, config.kafkaGroupId))
  say(`${requests} requests sent to ${topic}.`)
  return partitions
}

interface RunDemo {
  readonly fleet: FleetFile
  readonly kafka: Kafka
  readonly postgresUrl: string
  readonly endpoint: string
  readonly stops: Stops
  readonly aborted: () => boolean
  /** When the command began, on the monotonic clock, ms. */
  readonly startedAt: number
  /** null: everything is stopped once the summary is printed. */
  readonly keepUntil: Promise<void> | null
}

const runDemo = async (demo: RunDemo): Promise<void> => {
  const { fleet, kafka, stops, aborted } = demo
  const brokers = kafka.kind === 'running' ? kafka.brokers : ['127.0.0.1:9']
  const name = `device-move.demo-${process.pid}-${Date.now().toString(36)}`
  const config = configured([], settings(name, demo.endpoint, demo.postgresUrl, brokers))
  const logger = quietLogger(config)
  const withoutKafka = { source: fleet.source, sink: null }
  const cost = createRunCost()
  const running = startMain(config, {
    migrate: true,
    logger,
    observe: cost.observe,
    ...(kafka.kind === 'running' ? {} : withoutKafka),
  })
  stops.push(() => running.stop())
  const { service, httpUrl } = await running.started
  if (aborted()) return
  const pool = createPool(demo.postgresUrl, { max: 2, onError: () => undefined })
  stops.push(() => pool.end())

  const upAt = performance.now()
  let readAll = false
  let ends: readonly PartitionEnd[] = []
  if (kafka.kind === 'running') {
    ends = await sendFleet(fleet, config, logger)
    readAll = true
  } else {
    service.intakeDone.then(() => {
      readAll = true
    })
  }
  const topic = kafka.kind === 'running' ? config.kafkaRequestsTopic : fleet.topic
  const look = (isAllRead: boolean): Promise<Look> =>
    inSnapshot(pool, async from => {
      const counts = await readConservation(from)
      return { counts, isDone: isAllRead && backlogOf(counts) === 0 && (await isTakenIn(from, topic, ends)) }
    })
  const done = await untilSettled({
    isAllRead: () => readAll,
    look: isAllRead => ifReachable(look(isAllRead)),
    openJobs: () => service.status().openJobs?.own ?? 0,
    progress: createProgress(),
    aborted,
    failed: running.failed,
  })
  const seconds = (performance.now() - upAt) / 1000
  if (!done) return
  const { summary, gap } = await inSnapshot(pool, async from => ({
    summary: await readRunSummary(from, topic),
    gap: (await readConservation(from)).gap,
  }))
  say('')
  say(summaryText({ summary, gap, cost: cost.now(), seconds }))
  say(`  (${((performance.now() - demo.startedAt) / 1000).toFixed(1)} s with starting everything)`)
  if (demo.keepUntil === null) {
    say(`\nTo look further, keep it up with \`npm run demo -- --keep\`, and ask the database:`)
    say(queries('psql "$DATABASE_URL"'))
    return
  }
  say(`\nStill up, until Ctrl-C: ${httpUrl ?? ''}/metrics, and the database:`)
  say(queries(`psql '${demo.postgresUrl}'`))
  await demo.keepUntil
}
