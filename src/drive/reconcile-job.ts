/** Finds out whether a create without an answer has run: List tells, names nothing, so its job is matched. */
import {
  asyncScheduler,
  concatMap,
  defer,
  EMPTY,
  expand,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  of,
  reduce,
  repeat,
  take,
  tap,
  timer,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { deviceNamesOf, type Job } from '../domain/job'
import { findOwnJob } from '../domain/reconcile'
import type { CallResult, DriveJournal, ListedJob, ListPage } from '../ports'
import { type ProviderCalls, transientThrown } from './provider-calls'

/** Between two looks for the job of a create. */
const lookEveryMs = 5_000
/** The provider's clock, which stamps jobs, and the database's, which stamps intents, may differ so much. */
const clockSkewMs = 30_000

export interface ReconciliationDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  readonly observe: Observe
  readonly createSettleMs: number
  /** Repeats what failed with `TransientError`, after a pause. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
}

/**
 * Emits the provider's JobId once it is found. Completes without one when the job is proved absent (it is then
 * free to be created again) or cannot be told from another's (it is then held).
 * Absence counts only in a List begun `createSettleMs` after `seenAt`, asyncScheduler.now() of a moment at or
 * after the create left: a gateway may still run it.
 */
export const createReconciliation =
  ({ journal, calls, observe, createSettleMs, again }: ReconciliationDeps) =>
  (job: Job, seenAt: number): Observable<string> => {
    const page = (nextToken: string | null) =>
      calls
        .list({ productKey: job.route.productKey, ...(nextToken === null ? {} : { nextToken }) })
        .pipe(concatMap(transientThrown), again())

    /** Every job of the product, or null where List is refused: then nothing can be told. */
    const listed: Observable<ListedJob[] | null> = page(null).pipe(
      expand(result => (result.ok && result.value.nextToken !== null ? page(result.value.nextToken) : EMPTY)),
      reduce<CallResult<ListPage>, ListedJob[] | null>(
        (all, result) => (all === null || !result.ok ? null : [...all, ...result.value.jobs]),
        [],
      ),
    )

    const look = defer(() => {
      const late = asyncScheduler.now() >= seenAt + createSettleMs
      return listed.pipe(
        concatMap(jobs => {
          if (jobs === null) return of({ kind: 'unlisted' } as const)
          return journal.ownJobs(jobs.map(one => one.providerJobId)).pipe(
            map(own =>
              findOwnJob(
                jobs,
                {
                  route: job.route,
                  total: deviceNamesOf(job).length,
                  createStartedAt: job.createStartedAt ?? 0,
                },
                own,
                clockSkewMs,
              ),
            ),
          )
        }),
        map(found => ({ found, late })),
      )
    })

    const hold = (why: string): Observable<null> =>
      journal.hold(job.jobId, why).pipe(
        tap(() => observe({ kind: 'job-held', jobId: job.jobId, why })),
        map(() => null),
      )

    return look.pipe(
      concatMap(({ found, late }): Observable<string | null> => {
        switch (found.kind) {
          case 'found':
            observe({ kind: 'create-reconciled', jobId: job.jobId, as: 'adopted' })
            return of(found.providerJobId)
          case 'absent':
            if (!late) return EMPTY
            observe({ kind: 'create-reconciled', jobId: job.jobId, as: 'absent' })
            return journal.notCreated(job.jobId, 'no job of it is listed', false).pipe(map(() => null))
          case 'ambiguous':
            return hold(
              `its create had no answer, and several listed jobs could be it: ${found.providerJobIds.join(', ')}`,
            )
          case 'unlisted':
            return hold(
              'its create had no answer, and List is refused: look in the console whether its job exists',
            )
        }
      }),
      repeat({ delay: () => timer(lookEveryMs) }),
      take(1),
      concatMap(providerJobId => (providerJobId === null ? EMPTY : of(providerJobId))),
    )
  }
