import { withAdmin } from '../../src/kafka/admin'
import { createRequestSource, type KafkaRequestSource } from '../../src/kafka/consumer/kafka-request-source'
import type { SourceChunk } from '../../src/ports/request-source'
import { createTopics, deleteTopics, describeKafka, produceRecords, uniqueTopic } from '../support/kafka'
import { type LogLine, testKafkaOptions, testSource } from '../support/kafka-source'
import { bookAt } from '../support/source-book'
import { healthOf, readSource } from '../support/source-reader'
import { until } from '../support/until'

/** The part of the journal that intake needs. It appends what it has not seen, and knows its positions. */
const createMemoryJournal = () => {
  const positions = new Map<number, bigint>()
  const appended: string[] = []
  return {
    positions,
    appended,
    append: ({ partition, records }: SourceChunk): void => {
      for (const { position } of records) {
        if (position.offset < (positions.get(partition) ?? 0n)) continue
        appended.push(`${partition}/${position.offset}`)
        positions.set(partition, position.offset + 1n)
      }
    },
  }
}

const numbered = (partition: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({ partition, value: `${partition}/${n}` }))

const groupState = (groupId: string): Promise<string | undefined> =>
  withAdmin(testKafkaOptions(), async admin => (await admin.describeGroups([groupId])).groups[0]?.state)

describeKafka('the intake of requests from Kafka', () => {
  let topic: string
  let sources: KafkaRequestSource[]
  let ends: (() => void)[]
  beforeEach(() => {
    topic = uniqueTopic('intake')
    sources = []
    ends = []
  })
  afterEach(async () => {
    for (const end of ends) end()
    await Promise.all(sources.map(source => source.stop()))
    await withAdmin(testKafkaOptions(), async admin => {
      if ((await admin.listTopics()).includes(topic)) await deleteTopics([topic])
    })
  })
  const sourceOf = (lines: LogLine[] = []): KafkaRequestSource => {
    const source = testSource(topic, `${topic}.group`, lines)
    sources.push(source)
    return source
  }
  const read = (source: KafkaRequestSource, positions?: ReadonlyMap<number, bigint>) => {
    const reader = readSource(source, bookAt(positions))
    ends.push(() => reader.stop())
    return reader
  }

  it('loses nothing and appends nothing twice when a second member joins in the middle of a chunk', async () => {
    await createTopics([topic], 2)
    for (const partition of [0, 1]) await produceRecords(topic, numbered(partition, 3_000))
    const journal = createMemoryJournal()
    const first = read(sourceOf(), journal.positions)
    const held = await first.next()
    const secondSource = sourceOf()
    const second = read(secondSource, journal.positions)
    // The second consumer waits for the first one, which waits for its chunk.
    await until(async () => (await groupState(`${topic}.group`)) === 'PreparingRebalance')
    journal.append(held)
    held.done()
    const consume = async (reader: typeof first): Promise<void> => {
      while (journal.appended.length < 6_000) {
        const chunk = await reader.next()
        journal.append(chunk)
        chunk.done()
      }
    }
    const consuming = [consume(first), consume(second)]
    await healthOf(secondSource, ({ state }) => state === 'assigned')
    await Promise.race(consuming)
    expect(new Set(journal.appended).size).toBe(6_000)
    expect(journal.appended).toHaveLength(6_000)
  })

  it('commits what is in the journal, so that the lag can be watched', async () => {
    await createTopics([topic], 1)
    await produceRecords(topic, numbered(0, 1_200))
    const reader = read(sourceOf())
    await reader.readTo(1_200)
    const committed = (): Promise<string | undefined> =>
      withAdmin(testKafkaOptions(), async admin => {
        const [offsets] = await admin.fetchOffsets({ groupId: `${topic}.group`, topics: [topic] })
        return offsets?.partitions[0]?.offset
      })
    await until(async () => (await committed()) === '1200')
  })

  it('leaves the group at once when it is stopped with a chunk under way', async () => {
    await createTopics([topic], 1)
    await produceRecords(topic, numbered(0, 10))
    const source = sourceOf()
    const reader = read(source)
    const held = await reader.next()
    reader.stop()
    await source.stop()
    expect(await groupState(`${topic}.group`)).toBe('Empty')
    // This comes too late, and has no effect.
    held.done()
    const again = read(sourceOf())
    expect((await again.next()).records[0]?.position.offset).toBe(0n)
  })

  it('stops reading when the topic is made anew under it', async () => {
    await createTopics([topic], 1)
    await produceRecords(topic, numbered(0, 50))
    const journal = createMemoryJournal()
    const source = sourceOf()
    const reader = read(source, journal.positions)
    const chunk = await reader.next()
    journal.append(chunk)
    chunk.done()
    await deleteTopics([topic])
    await until(
      async () => !(await withAdmin(testKafkaOptions(), admin => admin.listTopics())).includes(topic),
    )
    await createTopics([topic], 1)
    await produceRecords(topic, numbered(0, 5))
    const health = await healthOf(
      source,
      ({ reason }) => reason?.includes('the journal stands at offset 50') === true,
    )
    expect(health.state).toBe('failed')
    expect(journal.appended).toHaveLength(50)
  })

  it('waits for a missing topic, reports it once, and goes on when it is there', async () => {
    const lines: LogLine[] = []
    const source = sourceOf(lines)
    const reader = read(source)
    const health = await healthOf(source, ({ reason }) => reason !== null)
    expect(health).toMatchObject({
      state: 'starting',
      reason: expect.stringContaining(`topic "${topic}" not found`),
    })
    await createTopics([topic], 1)
    await produceRecords(topic, numbered(0, 1))
    await reader.readTo(1)
    expect(lines.filter(line => line.level === 'warn')).toHaveLength(1)
  })

  it('makes the topic where that is allowed', async () => {
    const source = createRequestSource({
      kafka: testKafkaOptions(),
      groupId: `${topic}.group`,
      topic,
      createTopics: true,
      random: () => 0,
    })
    sources.push(source)
    const reader = read(source)
    await healthOf(source, ({ state }) => state === 'assigned')
    await produceRecords(topic, [{ value: 'x' }])
    await reader.readTo(1)
  })

  it('waits for a broker that cannot be reached, and can be stopped meanwhile', async () => {
    const kafka = { ...testKafkaOptions(), brokers: ['127.0.0.1:1'] }
    const source = createRequestSource({ kafka, groupId: 'nobody', topic, random: () => 0 })
    const subscription = source.chunks(bookAt()).subscribe()
    const health = await healthOf(source, ({ reason }) => reason !== null)
    expect(health).toMatchObject({ state: 'starting', reason: expect.stringContaining('ECONNREFUSED') })
    subscription.unsubscribe()
    await source.stop()
  })
})
