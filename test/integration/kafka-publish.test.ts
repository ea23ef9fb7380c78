import { Partitioners } from 'kafkajs'
import { firstValueFrom, lastValueFrom, type Subscription, take } from 'rxjs'
import { withAdmin } from '../../src/kafka/admin'
import type { KafkaOutcomeSink, OutcomeSinkOptions } from '../../src/kafka/publisher/kafka-outcome-sink'
import { TransientError } from '../../src/ports/errors'
import type { OutboxChunk } from '../../src/ports/journal'
import type { SinkSession } from '../../src/ports/outcome-sink'
import { createTopics, deleteTopics, describeKafka, testKafka, uniqueTopic } from '../support/kafka'
import { type SinkTopics, testSink } from '../support/kafka-sink'
import { testKafkaOptions } from '../support/kafka-source'
import { type ReadRecord, readTopic } from '../support/read-topic'
import { sampleChunk, sampleOutcome } from '../support/sample-outcome'

const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString()
const idsOf = (records: readonly ReadRecord[]): string[] =>
  records.map(record => text(record.headers.ce_id)).sort()
const idsIn = (...chunks: readonly OutboxChunk[]): string[] =>
  chunks.flatMap(chunk => chunk.outcomes.map(outcome => outcome.id)).sort()

describeKafka('the publisher of outcomes', () => {
  let topics: SinkTopics
  let open: Subscription[]
  let sinks: KafkaOutcomeSink[]
  beforeEach(() => {
    topics = { results: uniqueTopic('results'), deadLetters: uniqueTopic('dead-letters') }
    open = []
    sinks = []
  })
  afterEach(async () => {
    for (const session of open) session.unsubscribe()
    await Promise.all(sinks.map(sink => sink.stop()))
    await withAdmin(testKafkaOptions(), async admin => {
      const existing = await admin.listTopics()
      const ours = Object.values(topics).filter(topic => existing.includes(topic))
      if (ours.length > 0) await deleteTopics(ours)
    })
  })
  const make = (partitions = 3): Promise<void> =>
    createTopics([topics.results, topics.deadLetters], partitions)
  const sinkOf = (more: Partial<OutcomeSinkOptions> = {}): KafkaOutcomeSink => {
    const sink = testSink(topics, more)
    sinks.push(sink)
    return sink
  }
  const openSession = (more: Partial<OutcomeSinkOptions> = {}): Promise<SinkSession> =>
    new Promise((resolve, reject) => {
      open.push(sinkOf(more).open().subscribe({ next: resolve, error: reject }))
    })
  const publish = (session: SinkSession, chunk: OutboxChunk): Promise<void> =>
    lastValueFrom(session.publish(chunk))

  it('publishes 20,000 outcomes as one transaction', async () => {
    await make()
    const chunk = sampleChunk(1n, 0, 20_000)
    await publish(await openSession(), chunk)
    expect(idsOf(await readTopic(topics.results))).toEqual(idsIn(chunk))
  })

  it('splits what goes to a partition by bytes, here 200 outcomes of 50 kB', async () => {
    await make(1)
    const chunk = sampleChunk(1n, 0, 200, { message: 'x'.repeat(50_000) })
    await publish(await openSession(), chunk)
    const records = await readTopic(topics.results)
    expect(idsOf(records)).toEqual(idsIn(chunk))
    expect(records.map(record => text(record.headers.ce_id))).toEqual(
      chunk.outcomes.map(outcome => outcome.id),
    )
  })

  it('publishes dead letters with their results', async () => {
    await make()
    const failed = sampleOutcome(1, {
      outcome: 'failed',
      code: '9313',
      deadLetter: Buffer.from('{"again":true}'),
    })
    await publish(await openSession(), { lastId: 1n, outcomes: [sampleOutcome(0), failed] })
    expect(await readTopic(topics.results)).toHaveLength(2)
    const [deadLetter, ...more] = await readTopic(topics.deadLetters)
    expect(more).toEqual([])
    expect(text(deadLetter?.value)).toBe('{"again":true}')
    expect(text(deadLetter?.headers['error-code'])).toBe('9313')
  })

  it('replaces a record the broker refuses for its size, and publishes its neighbours', async () => {
    await make(1)
    const huge = sampleOutcome(1, {
      outcome: 'failed' as const,
      code: '9313',
      message: 'x'.repeat(2_000_000),
      requestId: 'r'.repeat(300),
      deadLetter: Buffer.alloc(1_500_000, 'y'),
    })
    const chunk = { lastId: 1n, outcomes: [sampleOutcome(0), huge, sampleOutcome(2)] }
    const session = await openSession()
    await publish(session, chunk)
    const records = await readTopic(topics.results)
    expect(idsOf(records)).toEqual(idsIn(chunk))
    const stub = records.find(record => text(record.headers.ce_id) === huge.id)
    expect(JSON.parse(text(stub?.value))).toEqual({
      id: huge.id,
      error: 'record_too_large',
      requestId: 'r'.repeat(256),
      outcome: 'failed',
      final: true,
      code: '9313',
    })
    const [deadLetter] = await readTopic(topics.deadLetters)
    expect(JSON.parse(text(deadLetter?.value))).toMatchObject({ id: huge.id, error: 'record_too_large' })
    // The session can still be used.
    await publish(session, sampleChunk(2n, 3, 1))
    expect(await readTopic(topics.results)).toHaveLength(4)
  })

  it('halves a batch when the limit of the topic is smaller than usual', async () => {
    await withAdmin(testKafkaOptions(), admin =>
      admin.createTopics({
        topics: [
          {
            topic: topics.results,
            numPartitions: 1,
            configEntries: [{ name: 'max.message.bytes', value: '20000' }],
          },
        ],
        waitForLeaders: false,
      }),
    )
    await createTopics([topics.deadLetters], 1)
    const chunk = sampleChunk(1n, 0, 500)
    await publish(await openSession(), chunk)
    const records = await readTopic(topics.results)
    expect(records.map(record => text(record.headers.ce_id))).toEqual(
      chunk.outcomes.map(outcome => outcome.id),
    )
  })

  it('hides from readers what a dead session had sent, and goes on after what it had committed', async () => {
    await make()
    const before = sampleChunk(1n, 0, 10)
    await publish(await openSession(), before)
    // This publisher of the same id dies in the middle of a transaction.
    const dead = testKafka().producer({
      transactionalId: `${topics.results}.publisher`,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    await dead.connect()
    const transaction = await dead.transaction()
    await transaction.send({
      topic: topics.results,
      messages: [{ value: 'half', headers: { ce_id: 'half' } }],
    })
    const session = await openSession()
    expect(session.position).toBe(1n)
    const after = sampleChunk(2n, 10, 10)
    await publish(session, after)
    await expect(transaction.commit()).rejects.toThrow()
    await dead.disconnect()
    expect(idsOf(await readTopic(topics.results))).toEqual(idsIn(before, after))
  })

  it('publishes exactly once, by its position, wherever it is interrupted', async () => {
    await make()
    const chunks = [1, 2, 3, 4].map(n => sampleChunk(BigInt(n), n * 1_000, 1_000))
    let stepMs = 0
    for (let broken = 0; broken < 6; broken += 1) {
      const sink = sinkOf()
      await new Promise<void>((resolve, reject) => {
        const session = sink.open().subscribe({
          error: reject,
          next: ({ position, publish: publishNext }) => {
            const chunk = chunks.find(({ lastId }) => lastId > (position ?? 0n))
            if (chunk === undefined) return resolve()
            const publishing = publishNext(chunk).subscribe({ error: reject })
            // The place is another one each time, and the test holds for each.
            stepMs += 7
            setTimeout(() => {
              publishing.unsubscribe()
              session.unsubscribe()
              resolve()
            }, stepMs)
            return undefined
          },
        })
      })
    }
    const session = await openSession()
    for (const chunk of chunks.filter(({ lastId }) => lastId > (session.position ?? 0n)))
      await publish(session, chunk)
    expect(idsOf(await readTopic(topics.results))).toEqual(idsIn(...chunks))
  })

  it('refuses to go on after it was interrupted', async () => {
    await make()
    const session = await openSession()
    session
      .publish(sampleChunk(1n, 0, 100))
      .subscribe()
      .unsubscribe()
    await expect(publish(session, sampleChunk(2n, 100, 1))).rejects.toThrow()
  })

  it('writes to added partitions from the next session on', async () => {
    await make(1)
    await publish(await openSession(), sampleChunk(1n, 0, 1))
    await withAdmin(testKafkaOptions(), admin =>
      admin.createPartitions({ topicPartitions: [{ topic: topics.results, count: 6 }] }),
    )
    const chunk = sampleChunk(2n, 1, 200)
    const sessions = sinkOf().open().pipe(take(1))
    expect((await firstValueFrom(sessions)).position).toBe(1n)
    await publish(await openSession(), chunk)
    const records = await readTopic(topics.results)
    expect(new Set(records.map(record => record.partition)).size).toBe(6)
    expect(records).toHaveLength(201)
  })

  it('says which topic is missing, and makes it where that is allowed', async () => {
    const error = await openSession().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TransientError)
    expect(`${error}`).toContain(`"${topics.results}"`)
    const session = await openSession({ createTopics: true })
    await publish(session, sampleChunk(1n, 0, 1))
    expect(await readTopic(topics.results)).toHaveLength(1)
  })

  it('reports a broker that cannot be reached as transient', async () => {
    const kafka = { ...testKafkaOptions(), brokers: ['127.0.0.1:1'] }
    await expect(openSession({ kafka })).rejects.toBeInstanceOf(TransientError)
  })
})
