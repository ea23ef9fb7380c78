import {
  catchError,
  concatMap,
  EMPTY,
  from,
  ignoreElements,
  mergeMap,
  type Observable,
  switchMap,
  tap,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { IntakeJournal } from '../ports/journal'
import type { RequestSource, SourceChunk } from '../ports/request-source'

export interface IntakeDeps {
  readonly source: RequestSource
  readonly journal: IntakeJournal
  /** What one chunk of records becomes: one or more chunks of the journal, in order. */
  readonly toJournal: (
    clusterId: string,
    chunk: SourceChunk,
  ) => Iterable<Parameters<IntakeJournal['append']>[0]>
  readonly observe: Observe
}
/** Completes when the source does (a file; never Kafka). Emits nothing. */
export const intake$ = ({ source, journal, toJournal, observe }: IntakeDeps): Observable<never> => {
  const store = (clusterId: string, chunk: SourceChunk): Observable<never> =>
    from(toJournal(clusterId, chunk)).pipe(
      concatMap(part => journal.append(part)),
      tap(({ moves, rejections }) =>
        observe({ kind: 'appended', partition: chunk.partition, moves, rejections }),
      ),
      ignoreElements(),
      tap({ complete: () => chunk.done() }),
      catchError((error: unknown) => {
        // Not stored, so not committed: the source offers it again, after a pause of its own.
        observe({ kind: 'defect', flow: 'intake', error })
        chunk.fail(error)
        return EMPTY
      }),
    )
  return source
    .clusterId()
    .pipe(
      switchMap(clusterId =>
        source
          .chunks((topic, partitions) => journal.positions(clusterId, topic, partitions))
          .pipe(mergeMap(chunk => store(clusterId, chunk))),
      ),
    )
}
