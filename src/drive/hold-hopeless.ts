import {
  catchError,
  concatMap,
  defer,
  ignoreElements,
  type MonoTypeOperatorFunction,
  type Observable,
  tap,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { Job } from '../domain/job'
import { type DriveJournal, LeaseLostError, TransientError } from '../ports'

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
  const failures = new Map<number, number>()

  const hold = (job: Job, error: unknown): Observable<never> => {
    const text = (error instanceof Error ? error.message : String(error)).slice(0, maxText)
    const why = `it could not be settled, ${maxFailures} times in a row: ${text}`
    return journal.hold(job, why).pipe(
      tap(() => {
        failures.delete(job.jobId)
        observe({ kind: 'job-held', jobId: job.jobId, why })
      }),
      ignoreElements(),
    )
  }

  const weigh = (job: Job, error: unknown): Observable<never> =>
    // A sign of life, and nothing else: an error of the whole database fails this too.
    journal.ownJobs([]).pipe(
      concatMap(() => {
        const times = (failures.get(job.jobId) ?? 0) + 1
        failures.set(job.jobId, times)
        if (times < maxFailures) throw error
        return hold(job, error)
      }),
    )

  return <T>(job: Job): MonoTypeOperatorFunction<T> =>
    work =>
      defer(() => work).pipe(
        tap({ complete: () => failures.delete(job.jobId) }),
        catchError((error: unknown) => {
          if (error instanceof LeaseLostError || error instanceof TransientError) throw error
          return weigh(job, error)
        }),
      )
}
