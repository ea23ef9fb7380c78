/**
 * Finds out whether a create without an answer has run. List shows every job of the product, but not who created it,
 * so the job is matched by its route, its number of devices and its time.
 */
import {
  asyncScheduler,
  concatMap,
  defer,
  EMPTY,
  expand,
  filter,
  from,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  of,
  reduce,
  repeat,
  take,
  timer,
  toArray,
} from 'rxjs'
import type { ResultsAnswer } from '../domain/device-results'
import { deviceNamesOf, type Job } from '../domain/job'
import {
  type CandidateFile,
  decideByFiles,
  findCandidates,
  holdsAllSince,
  nothingListed,
  orderAfter,
  type Reconciliation,
  undecidable,
} from '../domain/reconcile'
import type { CallResult, ListedJob, ListPage } from '../ports/job-api'
import type { DriveJournal } from '../ports/journal'
import { createAskResults } from './ask-results'
import { type ProviderCalls, transientThrown } from './provider-calls'

/** Pages of 200 jobs. No product has 100,000 jobs, so a List that goes on after this many pages does not end. */
const maxPages = 500

/** The provider stamps jobs and the database stamps intents. Their clocks may differ by this much, ms. */
const clockSkewMs = 30_000

type Listing =
  | { readonly kind: 'jobs'; readonly jobs: readonly ListedJob[] }
  /** List may not be called. */
  | { readonly kind: 'refused' }
  /** List leads back to a page that was read already, or does not end. What it does not show proves nothing. */
  | { readonly kind: 'endless' }

const endless = 'endless'
type Found = CallResult<ListPage> | typeof endless

const nothing: Listing = { kind: 'jobs', jobs: [] }

const added = (all: Listing, found: Found): Listing => {
  if (all.kind !== 'jobs') return all
  if (found === endless) return { kind: 'endless' }
  return found.ok ? { kind: 'jobs', jobs: [...all.jobs, ...found.value.jobs] } : { kind: 'refused' }
}

/**
 * Every job of one product that was created at or after `since`, by the provider's clock. If two pages or more have shown
 * that List goes from the newest to the oldest, it is not read below that instant; else it is read to its end. `again`
 * repeats what failed with `TransientError`, after a pause.
 */
const createListProduct =
  (calls: Pick<ProviderCalls, 'list'>, again: <T>() => MonoTypeOperatorFunction<T>) =>
  (productKey: string, since: number): Observable<Listing> =>
    defer(() => {
      const followed = new Set<string>()
      let order = nothingListed
      const page = (nextToken?: string): Observable<Found> =>
        calls
          .list({ productKey, ...(nextToken === undefined ? {} : { nextToken }) })
          .pipe(concatMap(transientThrown), again())
      const after = (found: Found): Observable<Found> => {
        if (found === endless || !found.ok || found.value.nextToken === null) return EMPTY
        const { nextToken, jobs } = found.value
        order = orderAfter(order, jobs, clockSkewMs)
        if (followed.size > 0 && holdsAllSince(order, since, clockSkewMs)) return EMPTY
        if (followed.has(nextToken) || followed.size + 1 === maxPages) return of(endless)
        followed.add(nextToken)
        return page(nextToken)
      }
      return page().pipe(expand(after), reduce(added, nothing))
    })

interface TellApartDeps {
  readonly journal: Pick<DriveJournal, 'addCalls'>
  readonly calls: Pick<ProviderCalls, 'detail' | 'fetchResults'>
}

const tells: Readonly<Record<ResultsAnswer, CandidateFile['tells']>> = {
  rows: 'ours',
  'wrong-devices': 'wrong-devices',
  unavailable: 'not-yet',
  none: 'untold',
  empty: 'untold',
  refused: 'untold',
  unreadable: 'untold',
}

/** Decides which of several ended jobs is ours: their result files name the devices. Emits once; null: ask again. */
const createTellApart =
  ({ journal, calls }: TellApartDeps) =>
  (job: Job, candidates: readonly ListedJob[]): Observable<Reconciliation | null> =>
    from(candidates).pipe(
      concatMap(({ providerJobId }) =>
        createAskResults(calls, journal, job, providerJobId, { link: null }).pipe(
          take(1),
          map(({ answer }): CandidateFile => ({ providerJobId, tells: tells[answer] })),
        ),
      ),
      toArray(),
      map(decideByFiles),
    )

/** Pause before List is read again, because several jobs match or because it did not end, ms. */
const lookEveryMs = 30_000
/** While several jobs match, their end is waited for this long before the batch is held for people, ms. */
const undecidedForMs = 6 * 3_600_000
/** A List that does not end is read this many times before the batch is held for people. */
const maxEndless = 3

export interface ReconciliationDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  /** Repeats what failed with `TransientError`, after a pause. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
}

/**
 * Emits once, when it is decided. The first look is at `listedFrom` (asyncScheduler.now()). Before that a gateway may
 * still run the create, and List may not show its job yet, so that neither an absent job nor a single match proves
 * anything.
 */
export const createReconciliation =
  (deps: ReconciliationDeps) =>
  (job: Job, listedFrom: number): Observable<Reconciliation> => {
    const { journal, calls, again } = deps
    const tellApart = createTellApart(deps)
    const listProduct = createListProduct(calls, again)

    /** Where several could be it, those that people have gone on without after a restore are not. */
    const withoutGivenUp = (candidates: readonly ListedJob[]): Observable<readonly ListedJob[]> =>
      candidates.length < 2
        ? of(candidates)
        : journal.givenUp(candidates.map(one => one.providerJobId)).pipe(
            map(givenUp => candidates.filter(one => !givenUp.has(one.providerJobId))),
            map(left => (left.length > 0 ? left : candidates)),
          )

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

    /** List does not show whether the job exists. */
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
            return candidatesAmong(listing.jobs).pipe(concatMap(withoutGivenUp), concatMap(decide))
          case 'refused':
            return of(untold('List is refused'))
          case 'endless':
            timesEndless += 1
            return of(timesEndless < maxEndless ? null : untold('List does not come to an end'))
        }
      }
      return timer(Math.max(0, listedFrom - asyncScheduler.now())).pipe(
        concatMap(() => listProduct(job.route.productKey, (job.createStartedAt ?? 0) - clockSkewMs)),
        concatMap(weigh),
        repeat({ delay: () => timer(lookEveryMs) }),
        filter(reconciliation => reconciliation !== null),
        take(1),
      )
    })
  }
