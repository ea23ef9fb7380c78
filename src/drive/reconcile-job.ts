/** Finds out whether a create without an answer has run: List tells, names nothing, so its job is matched. */
import {
  asyncScheduler,
  concatMap,
  defer,
  EMPTY,
  expand,
  filter,
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
import { deviceNamesOf, type Job } from '../domain/job'
import { findOwnJob, type Reconciled } from '../domain/reconcile'
import { type CallResult, type DriveJournal, type ListedJob, type ListPage, TransientError } from '../ports'
import { type ProviderCalls, transientThrown } from './provider-calls'

/** Between two looks for the job of a create. */
const lookEveryMs = 5_000
/** So long the end of jobs that could be it is waited for: then its devices tell. */
const undecidedForMs = 1_800_000
/** The provider's clock, which stamps jobs, and the database's, which stamps intents, may differ so much. */
const clockSkewMs = 30_000

export interface ReconciliationDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  /** Repeats what failed with `TransientError`, after a pause. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
}

export type Reconciliation =
  | { readonly kind: 'found'; readonly providerJobId: string }
  /** Proved: it may be sent again. */
  | { readonly kind: 'absent' }
  /** `allEnded`: whichever it is has ended, so its devices can be looked up. Else it is for a human. */
  | { readonly kind: 'undecidable'; readonly allEnded: boolean; readonly why: string }

/**
 * Emits once, when it is decided. Absence counts only in a List begun at `absentFrom` (asyncScheduler.now()) or
 * later: until then a gateway may still run the create, or the List not show its job yet.
 */
export const createReconciliation =
  ({ journal, calls, again }: ReconciliationDeps) =>
  (job: Job, absentFrom: number): Observable<Reconciliation> => {
    const page = (nextToken: string | null) =>
      calls.list({ productKey: job.route.productKey, ...(nextToken === null ? {} : { nextToken }) }).pipe(
        concatMap(transientThrown),
        tap(result => {
          // Credentials, permission, bill: says nothing of the job, so it is waited out.
          if (!result.ok && result.kind === 'account-refused') throw new TransientError(result.code)
        }),
        again(),
      )

    /** Every job of the product, or null where List is refused: then nothing can be told. */
    const listed: Observable<ListedJob[] | null> = page(null).pipe(
      expand(result => (result.ok && result.value.nextToken !== null ? page(result.value.nextToken) : EMPTY)),
      reduce<CallResult<ListPage>, ListedJob[] | null>(
        (all, result) => (all === null || !result.ok ? null : [...all, ...result.value.jobs]),
        [],
      ),
    )

    const match = (jobs: readonly ListedJob[]): Observable<Reconciled> =>
      journal.ownJobs(jobs.map(one => one.providerJobId)).pipe(
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

    /** null: look again. */
    const decide = (
      found: Reconciled,
      jobs: readonly ListedJob[],
      lookedAt: number,
    ): Reconciliation | null => {
      const late = lookedAt >= absentFrom
      switch (found.kind) {
        case 'found':
          return found
        case 'absent':
          return late ? { kind: 'absent' } : null
        case 'ambiguous': {
          const candidates = new Set(found.providerJobIds)
          const open = jobs.some(({ providerJobId, status }) => candidates.has(providerJobId) && status < 2)
          const allEnded = late && !open
          if (!allEnded && lookedAt < absentFrom + undecidedForMs) return null
          const ids = found.providerJobIds.join(', ')
          const why = `its create had no answer, and several listed jobs could be it: ${ids}`
          return { kind: 'undecidable', allEnded, why }
        }
      }
    }
    const unlisted: Reconciliation = {
      kind: 'undecidable',
      allEnded: false,
      why: 'its create had no answer, and List is refused: look in the console whether its job exists',
    }

    return defer(() => {
      const lookedAt = asyncScheduler.now()
      return listed.pipe(
        concatMap(jobs =>
          jobs === null ? of(unlisted) : match(jobs).pipe(map(found => decide(found, jobs, lookedAt))),
        ),
      )
    }).pipe(
      repeat({ delay: () => timer(lookEveryMs) }),
      filter(reconciliation => reconciliation !== null),
      take(1),
    )
  }
