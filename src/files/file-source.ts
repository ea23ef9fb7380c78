/** A file as a source of requests. */
import {
  BehaviorSubject,
  catchError,
  concatMap,
  defer,
  delay,
  first,
  map,
  Observable,
  of,
  repeat,
  take,
  tap,
  throwError,
} from 'rxjs'
import { messageOf } from '../domain/error-text'
import type { RequestSource, SourceChunk, SourceHealth, SourceRecord } from '../ports/request-source'
import type { KnownFile } from './file-format'
import { readCsv } from './read-csv'
import { type Line, readNdjson } from './read-lines'

/** The topic of a file's records. It is named by the content, so that the same list is the same run wherever it lies. */
export const fileTopic = (sha256: string): string => `file:${sha256}`

/** Most bytes of a chunk, about. It is held in memory until it is durable. */
const maxChunkBytes = 8 * 1024 * 1024

/** The records of a file by line. Throws if the file as a whole cannot be read. */
export const readFileLines = (file: KnownFile): AsyncGenerator<readonly Line[]> =>
  file.format === 'csv' ? readCsv(file) : readNdjson(file)

/**
 * The records of a file from line `from` on, in chunks of at most `chunkRecords` records and about 8 MiB. Throws if
 * the file holds no record, before `from` or after.
 */
export async function* readFileChunks(
  file: KnownFile,
  from: bigint,
  chunkRecords: number,
  timestampMs: number,
): AsyncGenerator<readonly SourceRecord[]> {
  const topic = fileTopic(file.sha256)
  let [chunk, chunkBytes, empty]: [SourceRecord[], number, boolean] = [[], 0, true]
  for await (const lines of readFileLines(file)) {
    for (const line of lines) {
      empty = false
      const offset = BigInt(line.number)
      if (offset < from) continue
      const position = { topic, partition: 0, offset }
      chunk.push({ position, key: null, value: line.bytes, headers: {}, timestampMs })
      chunkBytes += line.bytes.length
      if (chunk.length < chunkRecords && chunkBytes < maxChunkBytes) continue
      yield chunk
      chunk = []
      chunkBytes = 0
    }
  }
  if (chunk.length > 0) yield chunk
  if (empty) throw new Error(`${file.name} holds no request`)
}

/** The cluster id of positions in files. Their topic names the file. */
const fileClusterId = 'file'

export interface FileSourceOptions extends KnownFile {
  /** Most records of a chunk; 1,000 by default. */
  readonly chunkRecords?: number
  /** Pause before a chunk that failed is offered again, ms; 1,000 by default. */
  readonly retryMs?: number
  /** The time of every record, ms since 1970; now by default. A request that names no time gets it. */
  readonly timestampMs?: number
}

type Ending = 'done' | 'fail'

/** Offers one chunk. Emits how it ended and completes. */
const offer = (
  topic: string,
  records: readonly SourceRecord[],
  continuesFrom: bigint | null,
  emit: (chunk: SourceChunk) => void,
): Observable<Ending> =>
  new Observable<Ending>(subscriber => {
    const end = (ending: Ending): void => {
      subscriber.next(ending)
      subscriber.complete()
    }
    emit({
      topic,
      partition: 0,
      life: 1,
      continuesFrom,
      records,
      done: () => end('done'),
      fail: () => end('fail'),
    })
  })

/**
 * A file as a source of requests: one partition, whose offsets are line numbers. Completes once its last chunk is done. A
 * chunk that failed is offered again. Errors if the file cannot be read to its end.
 */
export const createFileSource = (options: FileSourceOptions): RequestSource => {
  const { chunkRecords = 1000, retryMs = 1000, timestampMs = Date.now() } = options
  const topic = fileTopic(options.sha256)
  const health = new BehaviorSubject<SourceHealth>({ state: 'starting', reason: null })

  const offerUntilDone = (
    records: readonly SourceRecord[],
    continuesFrom: bigint | null,
    emit: (chunk: SourceChunk) => void,
  ) =>
    offer(topic, records, continuesFrom, emit).pipe(
      concatMap(ending => (ending === 'done' ? of(ending) : of(ending).pipe(delay(retryMs)))),
      repeat(),
      first(ending => ending === 'done'),
    )

  // The next piece of the file is read when the chunk before it is done.
  const chunksFrom = (line: bigint | null): Observable<SourceChunk> =>
    new Observable<SourceChunk>(subscriber => {
      const chunks = readFileChunks(options, line ?? 0n, chunkRecords, timestampMs)
      let continuesFrom = line
      const offerNext = (records: readonly SourceRecord[]): Observable<Ending> =>
        offerUntilDone(records, continuesFrom, chunk => subscriber.next(chunk)).pipe(
          tap(() => {
            continuesFrom = (records.at(-1)?.position.offset ?? -1n) + 1n
          }),
        )
      const reading = defer(() => chunks.next())
        .pipe(
          concatMap(step => (step.done === true ? of('end') : offerNext(step.value))),
          repeat(),
          first(ending => ending === 'end'),
        )
        .subscribe({ error: error => subscriber.error(error), complete: () => subscriber.complete() })
      return () => {
        reading.unsubscribe()
        // Closes the file. No one is subscribed any more, so an error of reading is dropped.
        chunks.return(undefined).catch(() => undefined)
      }
    })

  const failed = (error: unknown): Observable<never> => {
    health.next({ state: 'failed', reason: messageOf(error) })
    return throwError(() => error)
  }

  return {
    clusterId: () => of(fileClusterId),
    committed: () => of({ clusterId: fileClusterId, topic, offsets: new Map() }),
    chunks: book =>
      defer(() => book.positions(topic, [0])).pipe(
        take(1),
        map(known => known.get(0)?.next ?? null),
        tap(() => health.next({ state: 'assigned', reason: null })),
        concatMap(chunksFrom),
        catchError(failed),
      ),
    health$: health.asObservable(),
  }
}
