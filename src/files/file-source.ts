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
import { messageOf } from '../domain/message-of'
import type { RequestSource, SourceChunk, SourceHealth, SourceRecord } from '../ports'
import { fileTopic, readFileChunks } from './file-chunks'
import type { KnownFile } from './known-file'

/** Names the log that positions in files belong to: the topic says which file. */
export const fileClusterId = 'file'

export interface FileSourceOptions extends KnownFile {
  /** Most records a chunk, 1,000 by default. */
  readonly chunkRecords?: number
  /** How long a chunk that failed waits before it is offered again, ms; 1,000 by default. */
  readonly retryMs?: number
  /** Stands for the time of the request where a row names none, ms since 1970; now by default. */
  readonly timestampMs?: number
}

type Ending = 'done' | 'fail'

/** Offers one chunk and completes, with how it ended, once that is known. */
const offer = (
  topic: string,
  records: readonly SourceRecord[],
  emit: (chunk: SourceChunk) => void,
): Observable<Ending> =>
  new Observable<Ending>(subscriber => {
    const end = (ending: Ending): void => {
      subscriber.next(ending)
      subscriber.complete()
    }
    emit({ topic, partition: 0, records, done: () => end('done'), fail: () => end('fail') })
  })

/**
 * A file as a source of requests: one partition, whose offsets are line numbers. Completes once its last chunk is
 * done; a chunk that failed is offered again. Errors for a file that cannot be read to its end.
 */
export const createFileSource = (options: FileSourceOptions): RequestSource => {
  const { chunkRecords = 1000, retryMs = 1000, timestampMs = Date.now() } = options
  const topic = fileTopic(options.sha256)
  const health = new BehaviorSubject<SourceHealth>({ state: 'starting', reason: null })

  const offerUntilDone = (records: readonly SourceRecord[], emit: (chunk: SourceChunk) => void) =>
    offer(topic, records, emit).pipe(
      concatMap(ending => (ending === 'done' ? of(ending) : of(ending).pipe(delay(retryMs)))),
      repeat(),
      first(ending => ending === 'done'),
    )

  // Pulled, not pushed: the file is read no further than its chunks are done.
  const chunksFrom = (line: bigint): Observable<SourceChunk> =>
    new Observable<SourceChunk>(subscriber => {
      const chunks = readFileChunks(options, line, chunkRecords, timestampMs)
      const reading = defer(() => chunks.next())
        .pipe(
          concatMap(step =>
            step.done === true ? of('end') : offerUntilDone(step.value, chunk => subscriber.next(chunk)),
          ),
          repeat(),
          first(ending => ending === 'end'),
        )
        .subscribe({ error: error => subscriber.error(error), complete: () => subscriber.complete() })
      return () => {
        reading.unsubscribe()
        // Closes the file. What reading it could still throw has nobody left to tell.
        chunks.return(undefined).catch(() => undefined)
      }
    })

  const failed = (error: unknown): Observable<never> => {
    health.next({ state: 'failed', reason: messageOf(error) })
    return throwError(() => error)
  }

  return {
    clusterId: () => of(fileClusterId),
    chunks: positions =>
      defer(() => positions(topic, [0])).pipe(
        take(1),
        map(known => known.get(0) ?? 0n),
        tap(() => health.next({ state: 'assigned', reason: null })),
        concatMap(chunksFrom),
        catchError(failed),
      ),
    health$: health.asObservable(),
  }
}
