import { appendFileSync } from 'node:fs'
import { firstValueFrom, of, Subject } from 'rxjs'
import { createFileSource } from '../../../src/files/file-source'
import { sha256OfFile } from '../../../src/files/fleet-file'
import type { SourceChunk } from '../../../src/ports/request-source'
import { bookAt, storedAt } from '../../support/source-book'
import { removeTemporaryFiles, temporaryFile } from './temporary-file'

const lines = (count: number): string =>
  Array.from({ length: count }, (_, index) => `{"n":${index + 1}}\n`).join('')

const known = async (content: string) => {
  const path = temporaryFile('fleet.ndjson', content)
  return { path, name: 'fleet.ndjson', format: 'ndjson' as const, ...(await sha256OfFile(path)) }
}

type Event = SourceChunk | 'complete' | Error

/** Reads a file source event by event. */
const open = async (
  content: string,
  next: bigint | null = null,
  { chunkRecords = 2, change = (_path: string): void => undefined } = {},
) => {
  const file = await known(content)
  change(file.path)
  const source = createFileSource({ ...file, chunkRecords, retryMs: 0, timestampMs: 1 })
  const events$ = new Subject<Event>()
  const waiting: Event[] = []
  events$.subscribe(event => waiting.push(event))
  const subscription = source
    .chunks({
      ...bookAt(),
      positions: (topic, partitions) => {
        const known = topic === `file:${file.sha256}` ? next : -1n
        return of(new Map(known === null ? [] : partitions.map(partition => [partition, storedAt(known)])))
      },
    })
    .subscribe({
      next: chunk => events$.next(chunk),
      error: error => events$.next(error),
      complete: () => events$.next('complete'),
    })
  const nextEvent = async (): Promise<Event> => {
    if (waiting.length === 0) await firstValueFrom(events$)
    return waiting.shift() ?? 'complete'
  }
  const nextChunk = async (): Promise<SourceChunk> => {
    const event = await nextEvent()
    if (event === 'complete' || event instanceof Error) throw new Error(`no chunk: ${String(event)}`)
    return event
  }
  return { source, subscription, waiting, nextEvent, nextChunk }
}
const offsets = (chunk: SourceChunk): number[] => chunk.records.map(record => Number(record.position.offset))

afterAll(removeTemporaryFiles)

describe('a file as a source of requests', () => {
  it('offers one chunk at a time and completes when the last is done', async () => {
    const reader = await open(lines(5))
    const first = await reader.nextChunk()
    expect(offsets(first)).toEqual([1, 2])
    expect(reader.waiting).toEqual([])
    first.done()
    const second = await reader.nextChunk()
    second.done()
    const third = await reader.nextChunk()
    expect([offsets(second), offsets(third)]).toEqual([[3, 4], [5]])
    third.done()
    expect(await reader.nextEvent()).toBe('complete')
  })

  it('offers a failed chunk again, and takes one answer to each offer', async () => {
    const reader = await open(lines(3))
    const first = await reader.nextChunk()
    first.fail(new Error('database away'))
    first.done()
    const again = await reader.nextChunk()
    expect(offsets(again)).toEqual([1, 2])
    again.done()
    expect(offsets(await reader.nextChunk())).toEqual([3])
    reader.subscription.unsubscribe()
  })

  it('goes on at the position of the journal', async () => {
    const reader = await open(lines(5), 4n)
    const first = await reader.nextChunk()
    expect(offsets(first)).toEqual([4, 5])
    first.done()
    expect(await reader.nextEvent()).toBe('complete')
  })

  it('completes at once when everything was read before', async () => {
    expect(await (await open(lines(5), 6n)).nextEvent()).toBe('complete')
  })

  it('reports its health, and errors if the file was changed since it was hashed', async () => {
    const reader = await open(lines(1), null, { change: path => appendFileSync(path, '{"n":2}\n{"n":3}\n') })
    const first = await reader.nextChunk()
    expect(await firstValueFrom(reader.source.health$)).toEqual({ state: 'assigned', reason: null })
    first.done()
    const error = await reader.nextEvent()
    expect(error).toEqual(
      new Error('fleet.ndjson was changed while it was read: 8 bytes at the start, now 24'),
    )
    expect(await firstValueFrom(reader.source.health$)).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('changed'),
    })
  })

  it('ends a chunk at about 8 MiB', async () => {
    const large = `${JSON.stringify({ x: 'y'.repeat(3 * 1024 * 1024) })}\n`
    const reader = await open(large.repeat(4), null, { chunkRecords: 1000 })
    const first = await reader.nextChunk()
    expect(offsets(first)).toEqual([1, 2, 3])
    first.done()
    expect(offsets(await reader.nextChunk())).toEqual([4])
    reader.subscription.unsubscribe()
  })

  it('offers nothing after it was unsubscribed', async () => {
    const reader = await open(lines(5))
    const first = await reader.nextChunk()
    reader.subscription.unsubscribe()
    first.done()
    expect(reader.waiting).toEqual([])
  })
})
