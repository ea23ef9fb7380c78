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

/** What a hold needs to know of its job. */
type Held = Pick<Job, 'batchId' | 'releases'>

/** Stores that a job waits for people, and reports it. Emits the batch id once. */
export const createHoldJob =
  ({ journal, observe }: HoldJobDeps) =>
  (job: Held, why: string): Observable<number> =>
    journal.hold(job, why).pipe(
      tap(() => observe({ kind: 'job-held', batchId: job.batchId, why })),
      map(() => job.batchId),
    )

/** After this many failed settlements in a row a job is held. */
const maxFailures = 10
/** Characters of an error's text that go into the reason. */
const maxText = 500

export interface HoldHopelessDeps {
  readonly journal: Pick<DriveJournal, 'ownJobs' | 'hold'>
  readonly observe: Observe
}

/**
 * Holds a job whose settlement keeps failing. Without this it would fail without end and show in the log only. Until then
 * each error passes through, to be contained. A failure counts only if the journal answers after it.
 */
export const createHoldHopeless = ({ journal, observe }: HoldHopelessDeps) => {
  const hold = createHoldJob({ journal, observe })
  const failures = new Map<number, number>()

  const giveUp = (job: Held, error: unknown): Observable<never> => {
    const text = messageOf(error).slice(0, maxText)
    return hold(job, `it could not be settled, ${maxFailures} times in a row: ${text}`).pipe(
      tap(() => failures.delete(job.batchId)),
      ignoreElements(),
    )
  }

  const weigh = (job: Held, error: unknown): Observable<never> =>
    // This query only checks that the database answers. If it fails too, the database is at fault, not the job.
    journal.ownJobs([]).pipe(
      concatMap(() => {
        const times = (failures.get(job.batchId) ?? 0) + 1
        failures.set(job.batchId, times)
        if (times < maxFailures) throw error
        return giveUp(job, error)
      }),
    )

  return <T>(job: Held): MonoTypeOperatorFunction<T> =>
    work =>
      defer(() => work).pipe(
        tap({ complete: () => failures.delete(job.batchId) }),
        catchError((error: unknown) => {
          if (error instanceof LeaseLostError || error instanceof TransientError) throw error
          return weigh(job, error)
        }),
      )
}
