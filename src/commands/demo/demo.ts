import { join } from 'node:path'
import type { Environment } from '../../app/config'
import { startMain } from '../../app/main'
import { packageRoot } from '../../app/package-version'
import type { FleetFile } from '../../files/fleet-file'
import { createPool } from '../../postgres/session/session'
import { ifReachable, inSnapshot } from '../../postgres/session/transaction'
import { isTakenIn, type PartitionEnd, readConservation } from '../../postgres/status/conservation'
import { readRunSummary } from '../../postgres/status/run-summary'
import { type Kafka, startKafka } from '../../tools/embedded/kafka'
import { startEmbeddedPostgres } from '../../tools/embedded/postgres'
import { createSimulator } from '../../tools/simulator/simulator'
import { configured, quietLogger } from '../configured'
import { exitCode } from '../exit-code'
import { type Look, untilSettled } from '../move/follow-list'
import { backlogOf, createProgress, createRunCost } from '../move/progress'
import { summaryText } from '../move/report-run'
import { firstSignal } from '../process-end'
import { openFleet } from '../submit/send-records'
import { sendDemoFleet } from './send-demo-fleet'

export interface DemoFlags {
  readonly keep?: boolean
  readonly file?: string
}

const credentials = { accessKeyId: 'demo', accessKeySecret: 'demo-secret' }

/** What the simulated provider does wrong: enough to see every kind of ending, quick enough for a demonstration. */
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

/** The default quota, on a topic of our own so that a broker that is shared sees nothing of other demonstrations. */
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
  // At two calls a second a thousand would take a quarter of an hour.
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

export const demoCommand = async (flags: DemoFlags): Promise<number> => {
  const startedAt = performance.now()
  const closers: (() => Promise<void>)[] = []
  let interrupted = false
  const signal = firstSignal().then(() => {
    interrupted = true
    process.stderr.write('\n  stopping\n')
  })
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close()
  }
  try {
    const fleet = await openFleet(flags.file ?? join(packageRoot, 'examples', 'fleet.csv'))
    closers.push(fleet.close)
    say('Starting PostgreSQL, Kafka and the provider simulator …')
    const [postgres, kafka, simulator] = await startParts(closers)
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
      closers,
      aborted: () => interrupted,
      startedAt,
      keepUntil: flags.keep === true ? signal : null,
    })
    return interrupted && flags.keep !== true ? exitCode.interrupted : exitCode.done
  } finally {
    await closeAll()
  }
}

const startParts = async (closers: (() => Promise<void>)[]) => {
  const kept = async <T>(starting: Promise<T>, stop: (part: T) => Promise<void>): Promise<T> => {
    const part = await starting
    closers.push(() => stop(part))
    return part
  }
  const simulator = createSimulator(provider)
  const parts = await Promise.allSettled([
    kept(startEmbeddedPostgres({}), part => part.stop()),
    kept(startKafka({ brokers: configured([]).kafkaBrokers ?? [] }), async part =>
      part.kind === 'running' ? part.stop() : undefined,
    ),
    kept(simulator.listen(0), () => simulator.close()),
  ])
  const [postgres, kafka, listening] = parts
  if (postgres.status === 'rejected') throw postgres.reason
  if (kafka.status === 'rejected') throw kafka.reason
  if (listening.status === 'rejected') throw listening.reason
  return [postgres.value, kafka.value, listening.value] as const
}

interface RunDemo {
  readonly fleet: FleetFile
  readonly kafka: Kafka
  readonly postgresUrl: string
  readonly endpoint: string
  readonly closers: (() => Promise<void>)[]
  readonly aborted: () => boolean
  readonly startedAt: number
  readonly keepUntil: Promise<void> | null
}

const runDemo = async (demo: RunDemo): Promise<void> => {
  const { fleet, kafka, closers, aborted } = demo
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
  closers.push(() => running.stop())
  const { service, httpUrl } = await running.started
  if (aborted()) return
  const pool = createPool(demo.postgresUrl, { max: 2, onError: () => undefined })
  closers.push(() => pool.end())

  const upAt = performance.now()
  let readAll = false
  let ends: readonly PartitionEnd[] = []
  if (kafka.kind === 'running') {
    const { requests, partitions } = await sendDemoFleet(fleet, config, logger)
    say(`${requests} requests sent to ${config.kafkaRequestsTopic}.`)
    ends = partitions
    readAll = true
  } else {
    service.intakeDone.then(() => {
      readAll = true
    })
  }
  const topic = kafka.kind === 'running' ? config.kafkaRequestsTopic : fleet.topic
  const progress = createProgress()
  const look = (isAllRead: boolean): Promise<Look> =>
    inSnapshot(pool, async from => {
      const counts = await readConservation(from)
      return { counts, isDone: isAllRead && backlogOf(counts) === 0 && (await isTakenIn(from, topic, ends)) }
    })
  const settled = untilSettled({
    isAllRead: () => readAll,
    look: isAllRead => ifReachable(look(isAllRead)),
    openJobs: () => service.status().openJobs?.own ?? 0,
    progress,
    aborted,
  })
  const done = await Promise.race([
    settled,
    running.failed.then(error => {
      throw error
    }),
  ])
  progress.end()
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
