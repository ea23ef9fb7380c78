import { firstValueFrom, of, tap } from 'rxjs'
import type { RequestSource, SourceChunk } from '../../src/ports/request-source'
import { bookAt, storedAt } from '../support/source-book'
import { healthOf, readSource, type SourceReader, textsOf } from '../support/source-reader'

export interface ContractRecord {
  readonly key: string | null
  readonly value: Buffer | null
  readonly headers?: Record<string, string>
}

/** One topic of two partitions, empty at first, and a source that reads it. */
export interface RequestSourceHarness {
  readonly source: RequestSource
  readonly topic: string
  produce(partition: number, records: readonly ContractRecord[]): Promise<void>
  deleteBefore(partition: number, offset: bigint): Promise<void>
  /** Ends everything. */
  close(): Promise<void>
}

const texts = (from: number, count: number): ContractRecord[] =>
  Array.from({ length: count }, (_, at) => ({ key: null, value: Buffer.from(`r${from + at}`) }))

const named = (from: number, count: number): string[] => texts(from, count).map(record => `${record.value}`)

/** What every source of requests promises. */
export const requestSourceContract = (name: string, open: () => Promise<RequestSourceHarness>): void => {
  describe(`${name} as the source of requests`, () => {
    let harness: RequestSourceHarness
    let readers: SourceReader[]
    const read = (positions?: Parameters<typeof bookAt>[0]): SourceReader => {
      const reader = readSource(harness.source, bookAt(positions))
      readers.push(reader)
      return reader
    }
    beforeEach(async () => {
      harness = await open()
      readers = []
    })
    afterEach(async () => {
      for (const reader of readers) reader.stop()
      await harness.close()
    })

    it('names its cluster, the same each time', async () => {
      const [first, second] = [
        await firstValueFrom(harness.source.clusterId()),
        await firstValueFrom(harness.source.clusterId()),
      ]
      expect(first).toMatch(/./)
      expect(second).toBe(first)
    })

    it('hands on records as they are', async () => {
      await harness.produce(1, [
        { key: 'k', value: Buffer.from([0, 255, 1]), headers: { CE_Id: 'x' } },
        { key: null, value: null },
        { key: null, value: Buffer.alloc(0) },
      ])
      const reader = read()
      await reader.readTo(3)
      const [first, tombstone, empty] = reader.records
      expect(first?.position).toEqual({ topic: harness.topic, partition: 1, offset: 0n })
      expect(Buffer.from(first?.key ?? []).toString()).toBe('k')
      expect([...(first?.value ?? [])]).toEqual([0, 255, 1])
      expect(Buffer.from(first?.headers.ce_id ?? []).toString()).toBe('x')
      expect(Number.isInteger(first?.timestampMs)).toBe(true)
      expect(tombstone?.value).toBeNull()
      expect(tombstone?.key).toBeNull()
      expect(empty?.value).toHaveLength(0)
    })

    it('reads every partition in order, one chunk of a partition at a time', async () => {
      await harness.produce(0, texts(0, 1_300))
      await harness.produce(1, texts(0, 700))
      const reader = read()
      const outstanding = new Set<number>()
      const seen = new Map<number, string[]>([
        [0, []],
        [1, []],
      ])
      const end = (chunk: SourceChunk): Promise<void> =>
        new Promise(resolve => {
          setImmediate(() => {
            outstanding.delete(chunk.partition)
            chunk.done()
            resolve()
          })
        })
      let count = 0
      while (count < 2_000) {
        const chunk = await reader.next()
        expect(outstanding.has(chunk.partition)).toBe(false)
        expect(chunk.records.length).toBeGreaterThan(0)
        outstanding.add(chunk.partition)
        seen.get(chunk.partition)?.push(...textsOf(chunk.records))
        count += chunk.records.length
        // This is not awaited, because the test looks at what the source offers meanwhile.
        void end(chunk)
      }
      expect(seen.get(0)).toEqual(named(0, 1_300))
      expect(seen.get(1)).toEqual(named(0, 700))
    })

    it('offers a failed chunk again', async () => {
      await harness.produce(0, texts(0, 3))
      const reader = read()
      const first = await reader.next()
      first.fail(new Error('the database is away'))
      const again = await reader.next()
      expect(textsOf(again.records)).toEqual(textsOf(first.records))
      again.done()
      await harness.produce(0, texts(3, 1))
      expect(textsOf((await reader.next()).records)).toEqual(['r3'])
    })

    it('offers what was under way when it was stopped to the next reader', async () => {
      await harness.produce(0, texts(0, 3))
      const reader = read()
      await reader.next()
      reader.stop()
      const next = read()
      expect(textsOf((await next.next()).records)).toEqual(['r0', 'r1', 'r2'])
    })

    it('reads on from the position of the journal', async () => {
      await harness.produce(0, texts(0, 10))
      const reader = read(new Map([[0, 7n]]))
      await reader.readTo(3)
      expect(textsOf(reader.records)).toEqual(['r7', 'r8', 'r9'])
      expect(await healthOf(harness.source, ({ state }) => state === 'assigned')).toEqual({
        state: 'assigned',
        reason: null,
      })
    })

    it('returns to the position of the journal, whatever was read before', async () => {
      await harness.produce(0, texts(0, 4))
      const first = read()
      await first.readTo(4)
      first.stop()
      // An operator has accepted that the journal stands before what the group has committed.
      const second = read(new Map([[0, storedAt(1n, { committedBefore: 4n })]]))
      await second.readTo(3)
      expect(textsOf(second.records)).toEqual(['r1', 'r2', 'r3'])
    })

    it('starts with the first record that is left when records were deleted', async () => {
      await harness.produce(0, texts(0, 10))
      await harness.deleteBefore(0, 6n)
      const reader = read(new Map([[0, 2n]]))
      await reader.readTo(4)
      expect(textsOf(reader.records)).toEqual(named(6, 4))
    })

    it('does not read a partition whose position lies beyond its end, and reads the others', async () => {
      await harness.produce(0, texts(0, 5))
      await harness.produce(1, texts(0, 5))
      const reader = read(new Map([[0, 42n]]))
      await reader.readTo(5)
      await harness.produce(0, texts(5, 1))
      await harness.produce(1, texts(5, 1))
      await reader.readTo(6)
      expect(new Set(reader.records.map(record => record.position.partition))).toEqual(new Set([1]))
      const health = await healthOf(harness.source, ({ state }) => state === 'failed')
      expect(health.reason).toContain(`${harness.topic}/0`)
      expect(health.reason).toContain('42')
      expect(health.reason).toContain('5')
    })

    it('does nothing before it is subscribed, and asks for the partitions it owns', async () => {
      await harness.produce(0, texts(0, 1))
      const asked: (readonly number[])[] = []
      const chunks$ = harness.source.chunks({
        ...bookAt(),
        positions: (topic, partitions) => {
          expect(topic).toBe(harness.topic)
          asked.push([...partitions].sort())
          return of(new Map())
        },
      })
      expect(asked).toEqual([])
      const first = await firstValueFrom(chunks$.pipe(tap(chunk => chunk.done())))
      expect(asked[0]).toEqual([0, 1])
      expect(first.records).toHaveLength(1)
    })
  })
}
