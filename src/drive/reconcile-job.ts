/** Finds out whether a create without an answer has run: List tells, names nothing, so its job is matched. */
import {
  asyncScheduler,
  concatMap,
  defer,
  filter,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  of,
  repeat,
  take,
  timer,
} from 'rxjs'
import { deviceNamesOf, type Job } from '../domain/job'
import { findCandidates, type Reconciliation, undecidable } from '../domain/reconcile'
import type { DriveJournal, ListedJob } from '../ports'
import { createListProduct, type Listing } from './list-product'
import type { ProviderCalls } from './provider-calls'
import { createTellApart } from './tell-apart'

/** Between two looks: at several jobs that could be it, or at a List that did not come to an end. */
const lookEveryMs = 30_000
/** So long their end is waited for before people are told. */
const undecidedForMs = 6 * 3_600_000
/** A List that does not come to an end is read so often before people are told. */
const maxEndless = 3
/** The provider's clock, which stamps jobs, and the database's, which stamps intents, may differ so much. */
const clockSkewMs = 30_000

export interface ReconciliationDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  /** Repeats what failed with `TransientError`, after a pause. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
}

/**
 * Emits once, when it is decided. Looks from `listedFrom` (asyncScheduler.now()) on, since until then a gateway may
 * still run the create, or the List not show its job yet: neither is an absent job absent, nor is the only one that
 * could be it the only one.
 */
export const createReconciliation =
  (deps: ReconciliationDeps) =>
  (job: Job, listedFrom: number): Observable<Reconciliation> => {
    const { journal, calls, again } = deps
    const tellApart = createTellApart(deps)
    const listProduct = createListProduct(calls, again)

    const candidatesAmong = (jobs: readonly ListedJob[]): Observable<readonly ListedJob[]> =>
      journal.ownJobs(jobs.map(one => one.providerJobId)).pipe(
        map(own =>
          findCandidates(
            jobs,
            {
              route: job.route,
              total: deviceNamesOf(job).length,
              createStartedAt: job.createStartedAt ?? 0,
            },
            new Set([...own, ...job.notOurs]),
            clockSkewMs,
          ),
        ),
      )

    /** null: look again. */
    const decide = (candidates: readonly ListedJob[]): Observable<Reconciliation | null> => {
      const [only, ...others] = candidates
      if (only === undefined) return of({ kind: 'absent' })
      if (others.length === 0) return of({ kind: 'found', providerJobId: only.providerJobId })
      if (candidates.every(candidate => candidate.status >= 2)) return tellApart(job, candidates)
      return of(asyncScheduler.now() < listedFrom + undecidedForMs ? null : undecidable(candidates, false))
    }

    /** Whether the job exists, List does not tell. */
    const untold = (problem: string): Reconciliation => ({
      kind: 'undecidable',
      allEnded: false,
      why: `${problem}: look in the console whether its job exists`,
    })

    return defer(() => {
      let timesEndless = 0
      const weigh = (listing: Listing): Observable<Reconciliation | null> => {
        switch (listing.kind) {
          case 'jobs':
            return candidatesAmong(listing.jobs).pipe(concatMap(candidates => decide(candidates)))
          case 'refused':
            return of(untold('List is refused'))
          case 'endless':
            timesEndless += 1
            return of(timesEndless < maxEndless ? null : untold('List does not come to an end'))
        }
      }
      return timer(Math.max(0, listedFrom - asyncScheduler.now())).pipe(
        concatMap(() => listProduct(job.route.productKey)),
        concatMap(weigh),
        repeat({ delay: () => timer(lookEveryMs) }),
        filter(reconciliation => reconciliation !== null),
        take(1),
      )
    })
  }
