import { filter, firstValueFrom, type Subscription, take } from 'rxjs'
import type {
  RequestSource,
  SourceBook,
  SourceChunk,
  SourceHealth,
  SourceRecord,
} from '../../src/ports/request-source'
import { bookAt } from './source-book'

export interface SourceReader {
  /** The next chunk, in the order of arrival. Its records count as read once it was `done` or `readTo`. */
  next(): Promise<SourceChunk>
  /** Acknowledges chunks as they come until this many records are durable, and adds them to `records`. */
  readTo(count: number): Promise<void>
  /** The durable records, in the order of arrival. */
  readonly records: SourceRecord[]
  stop(): void
}

/** Subscribes to a source for a journal with this book. */
export const readSource = (source: RequestSource, book: SourceBook = bookAt()): SourceReader => {
  const arrived: SourceChunk[] = []
  const waiting: { resolve(chunk: SourceChunk): void; reject(error: unknown): void }[] = []
  const records: SourceRecord[] = []
  const subscription: Subscription = source.chunks(book).subscribe({
    next: chunk => {
      const waiter = waiting.shift()
      if (waiter === undefined) arrived.push(chunk)
      else waiter.resolve(chunk)
    },
    error: (error: unknown) => {
      for (const waiter of waiting.splice(0)) waiter.reject(error)
    },
  })
  const next = (): Promise<SourceChunk> => {
    const chunk = arrived.shift()
    if (chunk !== undefined) return Promise.resolve(chunk)
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject })
    })
  }
  return {
    next,
    records,
    readTo: async count => {
      while (records.length < count) {
        const chunk = await next()
        records.push(...chunk.records)
        chunk.done()
      }
    },
    stop: () => subscription.unsubscribe(),
  }
}

/** Waits until the source's health is as wanted. */
export const healthOf = (
  source: RequestSource,
  wanted: (health: SourceHealth) => boolean,
): Promise<SourceHealth> => firstValueFrom(source.health$.pipe(filter(wanted), take(1)))

export const textsOf = (records: readonly SourceRecord[]): string[] =>
  records.map(record => (record.value === null ? 'null' : Buffer.from(record.value).toString()))
