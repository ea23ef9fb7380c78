/**
 * From a record to a durable request, in every replica.
 *
 * The source offers each partition's records chunk by chunk, and the next chunk of a partition only when the one before
 * is dealt with: that is the back-pressure. A chunk is parsed and appended to the journal together with the partition's
 * new position, in one transaction; then its offset is committed. What was appended before is skipped by its position, so
 * a record that is delivered again appends nothing. A chunk also says which position it continues from, so one that the
 * journal has lost is noticed.
 *
 * Errors. What waiting cures is retried inside the journal's methods. `RestoredDatabaseError` ends the flow. On any other
 * error the chunk is not committed, and the source offers it again after a pause of its own; it looks at a partition that
 * is stopped anew before.
 */
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
import { RestoredDatabaseError } from '../domain/restored-database'
import { StoppedPartitionError } from '../ports/errors'
import type { IntakeJournal, JournalChunk } from '../ports/journal'
import type { RequestSource, SourceBook, SourceChunk } from '../ports/request-source'

export interface IntakeDeps {
  readonly source: RequestSource
  readonly journal: IntakeJournal
  /** What one chunk of records becomes: one or more chunks of the journal, in order. */
  readonly toJournal: (clusterId: string, chunk: SourceChunk) => Iterable<JournalChunk>
  readonly observe: Observe
}

/** Emits nothing. Completes when the source does: at the end of a file, never for Kafka. */
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
        if (error instanceof RestoredDatabaseError) throw error
        if (!(error instanceof StoppedPartitionError)) observe({ kind: 'defect', flow: 'intake', error })
        chunk.fail(error)
        return EMPTY
      }),
    )

  const bookOf = (clusterId: string): SourceBook => ({
    positions: (topic, partitions) => journal.positions(clusterId, topic, partitions),
    skip: (topic, partition, gap) => journal.skip({ clusterId, topic, partition }, gap),
    stop: (topic, partition, reason) => journal.stop({ clusterId, topic, partition }, reason),
  })

  return source
    .clusterId()
    .pipe(
      switchMap(clusterId =>
        source.chunks(bookOf(clusterId)).pipe(mergeMap(chunk => store(clusterId, chunk))),
      ),
    )
}
