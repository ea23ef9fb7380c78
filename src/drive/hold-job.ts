import { map, type Observable, tap } from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { Job } from '../domain/job'
import type { DriveJournal } from '../ports'

export interface HoldJobDeps {
  readonly journal: Pick<DriveJournal, 'hold'>
  readonly observe: Observe
}

/** Stores that a job waits for people, and says so. Emits its number once. */
export const createHoldJob =
  ({ journal, observe }: HoldJobDeps) =>
  (job: Job, why: string): Observable<number> =>
    journal.hold(job, why).pipe(
      tap(() => observe({ kind: 'job-held', jobId: job.jobId, why })),
      map(() => job.jobId),
    )
