import {
  catchError,
  concatMap,
  defer,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  tap,
} from 'rxjs'
import { messageOf } from '../domain/error-text'
import type { Observe } from '../domain/flow-event'
import type { Job } from '../domain/job'
import { LeaseLostError, TransientError } from '../ports/errors'
import type { DriveJournal } from '../ports/journal'

export interface HoldJobDeps {
  readonly journal: Pick<DriveJournal, 'hold'>
  readonly observe: Observe
}

/** Stores that a job waits for people, and says so. Emits its number once. */
export const createHoldJob =
  ({ journal, observe }: HoldJobDeps) =>
  (job: Job, why: string): Observable<number> =>
    journal.hold(job, why).pipe(
      tap(() => observe({ kind: 'job-held', batchId: job.batchId, why })),
      map(() => job.batchId),
    )

/** So often in a row, and nothing says that the next time would be another. */
const maxFailures = 10
/** Of an error's text, characters. */
const maxText = 500

export interface HoldHopelessDeps {
  readonly journal: Pick<DriveJournal, 'ownJobs' | 'hold'>
  readonly observe: Observe
}

/**
 * Work that fails for reasons of its job alone would fail for ever, and be seen in the log only: after so many times in a
 * row that job is held for people, and the work completes. An error before that passes through, to be contained. While the
 * journal itself does not answer, for whatever reason, nothing is counted.
 */
export const createHoldHopeless = ({ journal, observe }: HoldHopelessDeps) => {
  const hold = createHoldJob({ journal, observe })
  const failures = new Map<number, number>()

  const giveUp = (job: Job, error: unknown): Observable<never> => {
    const text = messageOf(error).slice(0, maxText)
    return hold(job, `it could not be settled, ${maxFailures} times in a row: ${text}`).pipe(
      tap(() => failures.delete(job.batchId)),
      ignoreElements(),
    )
  }

  const weigh = (job: Job, error: unknown): Observable<never> =>
    // A sign of life, and nothing else: an error of the whole database fails this too.
    journal.ownJobs([]).pipe(
      concatMap(() => {
        const times = (failures.get(job.batchId) ?? 0) + 1
        failures.set(job.batchId, times)
        if (times < maxFailures) throw error
        return giveUp(job, error)
      }),
    )

  return <T>(job: Job): MonoTypeOperatorFunction<T> =>
    work =>
      defer(() => work).pipe(
        tap({ complete: () => failures.delete(job.batchId) }),
        catchError((error: unknown) => {
          if (error instanceof LeaseLostError || error instanceof TransientError) throw error
          return weigh(job, error)
        }),
      )
}
