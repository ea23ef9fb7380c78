import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import type { Reading } from '../../../src/kafka/consumer/assignment'
import { createEachBatch, createOfferedChunks } from '../../../src/kafka/consumer/each-batch'
import { StoppedPartitionError } from '../../../src/ports/errors'
import type { SourceChunk } from '../../../src/ports/request-source'

const message = (offset: number): KafkaMessage => ({
  key: null,
  value: Buffer.from(`${offset}`),
  timestamp: '0',
  attributes: 0,
  offset: `${offset}`,
  headers: {},
})

const setUp = (offsets: readonly number[], lag = '0') => {
  const chunks: SourceChunk[] = []
  const resolved: string[] = []
  const committed: string[] = []
  const heartbeats = async (): Promise<void> => {
    if (state.heartbeat !== null) throw state.heartbeat
  }
  const state = { isRunning: true, isStale: false, heartbeat: null as Error | null, alive: 0, heartbeats }
  const offered = createOfferedChunks(chunk => chunks.push(chunk))
  const reading = new Map<number, Reading>([[0, { life: 1, continuesFrom: null }]])
  const placedAgain: number[] = []
  const eachBatch = createEachBatch({
    offered,
    reading,
    placeAgain: partition => placedAgain.push(partition),
    log: () => undefined,
    random: () => 1,
    heartbeatEveryMs: 1_500,
    alive: () => {
      state.alive += 1
    },
    unreadable: () => undefined,
  })
  const payload: EachBatchPayload = {
    batch: {
      topic: 'requests',
      partition: 0,
      highWatermark: '0',
      messages: offsets.map(message),
      isEmpty: () => false,
      firstOffset: () => null,
      lastOffset: () => '',
      offsetLag: () => lag,
      offsetLagLow: () => lag,
    },
    resolveOffset: offset => resolved.push(offset),
    heartbeat: () => state.heartbeats(),
    pause: () => () => undefined,
    commitOffsetsIfNecessary: async offsets => {
      for (const { partitions } of offsets?.topics ?? [])
        committed.push(...partitions.map(({ offset }) => offset))
    },
    uncommittedOffsets: () => ({ topics: [] }),
    isRunning: () => state.isRunning,
    isStale: () => state.isStale,
  }
  return {
    chunks,
    resolved,
    committed,
    state,
    offered,
    reading,
    placedAgain,
    handle: (): Promise<void> => eachBatch(payload),
  }
}

const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(0)
const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at)

describe('the handler of a fetched batch', () => {
  beforeEach(() => {
    jest.useFakeTimers()
  })
  afterEach(() => {
    jest.useRealTimers()
  })

  it('keeps its promise open until every chunk is done', async () => {
    const { chunks, resolved, committed, handle } = setUp(range(700))
    let isOver = false
    const handling = handle().then(() => {
      isOver = true
    })
    await settle()
    expect(chunks.map(chunk => chunk.records.length)).toEqual([500])
    chunks[0]?.done()
    await settle()
    expect(resolved).toEqual(['499'])
    expect(chunks.map(chunk => chunk.records.length)).toEqual([500, 200])
    expect(isOver).toBe(false)
    chunks[1]?.done()
    await handling
    expect(resolved).toEqual(['499', '699'])
    expect(committed).toEqual(['500', '700'])
  })

  it('commits at most once a second while more records are to come', async () => {
    const { chunks, committed, handle } = setUp(range(1_500), '9999')
    const handling = handle()
    for (let at = 0; at < 3; at += 1) {
      await settle()
      chunks[at]?.done()
    }
    await handling
    expect(committed).toEqual(['500'])
    const next = handle()
    await jest.advanceTimersByTimeAsync(1_000)
    chunks[3]?.done()
    await settle()
    expect(committed).toEqual(['500', '500'])
    chunks[4]?.done()
    await settle()
    chunks[5]?.done()
    await next
  })

  it('neither resolves nor commits a chunk that failed, and offers it again after a longer pause each time', async () => {
    const { chunks, resolved, committed, handle } = setUp(range(3))
    const handling = handle()
    await settle()
    chunks[0]?.fail(new Error('no database'))
    await jest.advanceTimersByTimeAsync(99)
    expect(chunks).toHaveLength(1)
    await jest.advanceTimersByTimeAsync(1)
    expect(chunks).toHaveLength(2)
    chunks[1]?.fail(new Error('no database'))
    await jest.advanceTimersByTimeAsync(199)
    expect(chunks).toHaveLength(2)
    await jest.advanceTimersByTimeAsync(1)
    expect([resolved, committed]).toEqual([[], []])
    expect(chunks[2]?.records).toEqual(chunks[0]?.records)
    chunks[2]?.done()
    await handling
    expect(committed).toEqual(['3'])
  })

  it('takes the first answer to a chunk and ignores the others', async () => {
    const { chunks, resolved, handle } = setUp(range(600))
    const handling = handle()
    await settle()
    chunks[0]?.done()
    chunks[0]?.fail(new Error('too late'))
    chunks[0]?.done()
    await settle()
    expect(chunks).toHaveLength(2)
    chunks[1]?.done()
    await handling
    expect(resolved).toEqual(['499', '599'])
  })

  it('waits for the outstanding chunk when the group rebalances, and then lets kafkajs join again', async () => {
    const { chunks, resolved, committed, state, handle } = setUp(range(700))
    const rebalance = new Error('REBALANCE_IN_PROGRESS')
    const handling = handle()
    const failed = expect(handling).rejects.toBe(rebalance)
    await settle()
    state.heartbeat = rebalance
    await jest.advanceTimersByTimeAsync(60_000)
    expect(chunks).toHaveLength(1)
    chunks[0]?.done()
    await failed
    expect([resolved, committed]).toEqual([['499'], ['500']])
    expect(chunks).toHaveLength(1)
    // Every beat after the refused one counts, because the chunk is being stored without the broker.
    expect(state.alive).toBe(39)
  })

  it('does not take a heartbeat without an answer for a sign of life', async () => {
    const { chunks, state, handle } = setUp(range(3))
    state.heartbeats = () => new Promise(() => undefined)
    const handling = handle()
    await jest.advanceTimersByTimeAsync(60_000)
    expect(state.alive).toBe(0)
    chunks[0]?.done()
    await handling
  })

  it('commits the chunks that are done and leaves the others when the source stops', async () => {
    const { chunks, resolved, committed, offered, handle } = setUp(range(1_200))
    const handling = handle()
    await settle()
    chunks[0]?.done()
    await settle()
    offered.withdraw()
    await handling
    chunks[1]?.done()
    expect(resolved).toEqual(['499'])
    expect(committed).toEqual(['500'])
  })

  it.each([
    ['the partition was moved to another offset', { isStale: true }],
    ['the consumer is being stopped', { isRunning: false }],
  ])('leaves the other chunks when %s', async (_, change) => {
    const { chunks, state, handle } = setUp(range(700))
    const handling = handle()
    await settle()
    Object.assign(state, change)
    chunks[0]?.done()
    await handling
    expect(chunks).toHaveLength(1)
  })

  it('ends the pause after a chunk that failed when the source stops', async () => {
    const { chunks, offered, handle } = setUp(range(3))
    const handling = handle()
    await settle()
    chunks[0]?.fail('no database')
    await settle()
    offered.withdraw()
    await handling
    expect(chunks).toHaveLength(1)
    expect(jest.getTimerCount()).toBe(0)
  })

  it('says of each chunk where it continues: at the place of the partition, then at the end of the chunk before', async () => {
    const { chunks, reading, handle } = setUp([7, ...range(500).map(offset => offset + 10)])
    reading.set(0, { life: 1, continuesFrom: 5n })
    const handled = handle()
    await settle()
    chunks[0]?.fail(new Error('no database'))
    await jest.advanceTimersByTimeAsync(10_000)
    chunks[1]?.done()
    await settle()
    chunks[2]?.done()
    await handled
    expect(chunks.map(({ continuesFrom }) => continuesFrom)).toEqual([5n, 5n, 509n])
    expect(reading.get(0)).toEqual({ life: 1, continuesFrom: 510n })
  })

  it('names the log in the positions of a topic that was made anew', async () => {
    const { chunks, reading, handle } = setUp([0])
    reading.set(0, { life: 2, continuesFrom: 0n })
    const handled = handle()
    await settle()
    expect(chunks[0]).toMatchObject({ topic: 'requests', life: 2 })
    expect(chunks[0]?.records[0]?.position).toEqual({
      topic: 'requests',
      partition: 0,
      offset: 0n,
      log: 'requests@2',
    })
    chunks[0]?.done()
    await handled
  })

  it('offers nothing more of a partition that is stopped, and has it placed again', async () => {
    const { chunks, committed, placedAgain, handle } = setUp([0, 1])
    const handled = handle()
    await settle()
    chunks[0]?.fail(new StoppedPartitionError('another log'))
    await handled
    expect([chunks.length, committed, placedAgain]).toEqual([1, [], [0]])
  })

  it('offers nothing of a partition that has no place', async () => {
    const { chunks, reading, handle } = setUp([0])
    reading.clear()
    await handle()
    expect(chunks).toEqual([])
  })
})
