/**
 * The three walks of docs/architecture.md are what really runs: a record to its committed offset, a batch from its claim
 * to its settlement, an outcome to its topic. Each is walked once before, so that opening connections does not count.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filter, firstValueFrom, lastValueFrom, NEVER, of, ReplaySubject, tap } from 'rxjs'
import { type Config, loadConfig } from '../../src/app/config'
import { createService, type ServiceParts } from '../../src/app/service'
import { createSupervision, resilient } from '../../src/app/supervision'
import { defaultTarget, jobApi, outcomeSinkOptions, policies, quota } from '../../src/app/wiring'
import type { FlowEvent } from '../../src/domain/flow-event'
import { publish$ } from '../../src/flows/publish'
import { createOutcomeSink } from '../../src/kafka/publisher/kafka-outcome-sink'
import type { RequestSource } from '../../src/ports/request-source'
import { createIntakeJournal } from '../../src/postgres/intake/intake-journal'
import { createDriveJournal } from '../../src/postgres/job/drive-journal'
import { createLease } from '../../src/postgres/lease/postgres-lease'
import { createOutbox } from '../../src/postgres/outbox/outbox'
import { createChanges } from '../../src/postgres/session/changes'
import { createRecordParser, journalChunks } from '../../src/requests/parse-record'
import { createLogger } from '../../src/telemetry/logger'
import { createSimulator } from '../../src/tools/simulator/simulator'
import { alwaysSound } from '../support/always-sound'
import { createFilesRun } from '../support/files-run'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { chunkOf } from '../support/journal-requests'
import {
  createTopics,
  describeKafka,
  produceRecords,
  testBrokers,
  uniqueTopic,
  withTestAdmin,
} from '../support/kafka'
import { testSource } from '../support/kafka-source'
import { until } from '../support/until'

const root = join(__dirname, '../..')
const document = readFileSync(join(root, 'docs/architecture.md'), 'utf8')

/** The files that a section of the document lists, in order. */
const documented = (title: string): string[] => {
  const [, section = ''] = document.split(`### ${title}\n`)
  return [...(section.split('\n#')[0] ?? '').matchAll(/^\d+\. \[`(src\/[^`]+)`\]/gm)].map(
    ([, file = '']) => file,
  )
}

const walks: readonly (readonly [string, number])[] = [
  ['A record to its committed offset', 20],
  ['A batch to its settlement', 40],
  ['An outcome to its topic', 12],
]

describe('docs/architecture.md', () => {
  it.each(walks)('lists the files of the walk "%s", at most %i, and each exists', (title, most) => {
    const files = documented(title)
    expect(files.length).toBeGreaterThan(0)
    expect(files.length).toBeLessThanOrEqual(most)
    expect(new Set(files).size).toBe(files.length)
    expect(files.filter(file => !existsSync(join(root, file)))).toEqual([])
  })
})

describeKafka('the walks of docs/architecture.md', () => {
  const files = createFilesRun()
  const topics = {
    requests: uniqueTopic('walk'),
    results: uniqueTopic('walk'),
    deadLetters: uniqueTopic('walk'),
  }
  const simulator = createSimulator({ initMs: 0, baseMs: 200, perDeviceMs: 0, jitter: 0, qps: 0 })
  let database: JournalDatabase
  let config: Config

  beforeAll(async () => {
    const [{ url }] = await Promise.all([simulator.listen(0), createTopics(Object.values(topics))])
    database = await createJournalDatabase()
    const loaded = loadConfig({
      KAFKA_BROKERS: (testBrokers() ?? []).join(','),
      KAFKA_RESULTS_TOPIC: topics.results,
      KAFKA_DEAD_LETTER_TOPIC: topics.deadLetters,
      KAFKA_TRANSACTIONAL_ID: topics.results,
      DATABASE_URL: database.url,
      ALIBABA_CLOUD_ACCESS_KEY_ID: 'simulator',
      ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'simulator-secret',
      IOT_ENDPOINT: url,
      QUOTA_QPS: '0',
      BATCH_MAX_WAIT_MS: '100',
    })
    if (!loaded.ok) throw new Error(loaded.problems.join('; '))
    config = loaded.config
  })
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })
  afterAll(async () => {
    files.stop()
    await simulator.stop()
    await database.drop()
  })

  /** A source without records. */
  const silent: RequestSource = {
    clusterId: () => of('cluster'),
    committed: () => of({ clusterId: 'cluster', topic: 'requests', offsets: new Map() }),
    chunks: () => NEVER,
    health$: of({ state: 'assigned', reason: null }),
  }

  /** The service on the real journal, started; its events as they come. */
  const started = (more: Partial<ServiceParts>) => {
    const events$ = new ReplaySubject<FlowEvent>()
    const { pool } = database
    const service = createService({
      soundness: alwaysSound,
      source: silent,
      toJournal: journalChunks(createRecordParser(defaultTarget(config))),
      intakeJournal: createIntakeJournal(pool),
      driveJournal: epoch =>
        createDriveJournal(pool, epoch, {
          batchMaxDevices: config.batchMaxDevices,
          batchMaxWaitMs: config.batchMaxWaitMs,
          maxAttempts: config.retryMaxAttempts,
        }),
      outbox: createOutbox(pool),
      changes$: createChanges(database.url),
      api: jobApi(config),
      lease: { hold: () => NEVER },
      sink: null,
      publisher: config.kafkaTransactionalId,
      policies: policies(config),
      quota: quota(config),
      callTimeoutMs: config.callTimeoutMs,
      observe: event => events$.next(event),
      random: () => 0.5,
      ...more,
    })
    const running = service.run$.subscribe()
    stops.push(async () => running.unsubscribe())
    /** Resolves at the event number `count` of a kind. */
    const seen = (kind: FlowEvent['kind'], count: number): Promise<unknown> =>
      firstValueFrom(
        events$.pipe(
          filter(event => event.kind === kind),
          filter((_, index) => index + 1 === count),
        ),
      )
    return { seen, service }
  }

  const record = (name: string) => ({
    key: `a1Product/${name}`,
    value: JSON.stringify({
      deviceName: name,
      productKey: 'a1Product',
      sourceInstanceId: 'iot-source',
      targetInstanceId: 'iot-target',
      targetUid: '1984',
    }),
  })

  const untilCommitted = async (groupId: string, offset: string): Promise<void> => {
    for (;;) {
      const [topic] = await withTestAdmin(admin => admin.fetchOffsets({ groupId, topics: [topics.requests] }))
      if (topic?.partitions[0]?.offset === offset) return
    }
  }

  const unlisted = (title: string, run: readonly string[]): readonly string[] => {
    const listed = new Set(documented(title))
    return run.filter(file => !listed.has(file))
  }

  it('take a record to its committed offset through no file that is not listed', async () => {
    const source = testSource(topics.requests, topics.requests)
    const { seen } = started({ source })
    stops.push(() => source.stop())
    await produceRecords(topics.requests, [record('walker-1')])
    await seen('appended', 1)
    await untilCommitted(topics.requests, '1')
    files.start()
    await produceRecords(topics.requests, [record('walker-2')])
    await seen('appended', 2)
    await untilCommitted(topics.requests, '2')
    const run = files.take()
    expect(unlisted('A record to its committed offset', run)).toEqual([])
  })

  it('take a batch from its claim to its settlement through no file that is not listed', async () => {
    const lease = createLease(database.url, {
      holder: 'walker',
      // It is not renewed during a walk, however busy the machine is.
      leaseMs: 120_000,
      renewEveryMs: 60_000,
      quotaWindowMs: 100,
    })
    const { seen, service } = started({ lease })
    stops.push(() => lease.stop())
    await seen('job-settled', 1)
    const intake = createIntakeJournal(database.pool)
    await firstValueFrom(intake.append(chunkOf(0n, [{ requestId: 'batch', devices: ['walker-3'] }])))
    // The move becomes ready 100 ms after it was appended, so its claim is still to come.
    files.start()
    await seen('job-settled', 2)
    const run = files.take()
    // The tokens of its calls are back, so nothing of it runs during the next walk.
    await until(async () => service.status().quota?.shared === 0)
    service.stop()
    expect(unlisted('A batch to its settlement', run)).toEqual([])
  })

  it('take an outcome to its topic through no file that is not listed', async () => {
    const sink = createOutcomeSink(
      outcomeSinkOptions(
        config,
        createLogger('silent', text => text),
      ),
    )
    stops.push(() => sink.stop())
    const outbox = createOutbox(database.pool)
    const { again } = createSupervision({ observe: () => undefined, random: () => 0.5 })
    const published: (readonly string[])[] = []
    const flow$ = publish$({
      sink,
      outbox: resilient(
        {
          ...outbox,
          published: (publisher: string, position: bigint) =>
            outbox.published(publisher, position).pipe(
              tap(() => {
                published.push(files.take())
              }),
            ),
        },
        again('publish'),
      ),
      changes$: of(undefined),
      publisher: config.kafkaTransactionalId,
      // One job's outcomes a transaction, so that the second is published with everything open.
      most: { outcomes: 1, bytes: 1 },
      observe: () => undefined,
      drain$: of('now'),
    })
    await lastValueFrom(flow$, { defaultValue: null })
    expect(published).toHaveLength(2)
    expect(unlisted('An outcome to its topic', published[1] ?? [])).toEqual([])
  })
})
