/**
 * After an operator has accepted a restored database: goes through the provider's jobs for those that the database does
 * not know, awaits their end, and keeps what their result files say of devices. Routes that look like an unread one wait
 * meanwhile, since their devices may be in it. Nothing of this runs unless a claim has met such a job.
 *
 * List names no devices. So a job whose file leaves some out, or cannot be had, is held for people: any pending device
 * could be one of these.
 */
import {
  asyncScheduler,
  concat,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  expand,
  filter,
  finalize,
  from,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  mergeMap,
  type Observable,
  of,
  reduce,
  repeat,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import { type DeviceResult, decideOnResults, mergeRows, type ResultsAnswer } from '../domain/device-results'
import type { Observe } from '../domain/flow-event'
import { type ForgottenJob, mayBeForgotten } from '../domain/forgotten'
import type { ForgottenJournal, UnlistedRestore } from '../ports/forgotten-journal'
import type { CallResult, ListPage } from '../ports/job-api'
import type { AccountView, Look } from './account-view'
import { createAsk } from './ask-results'
import { isPassing, type ProviderCalls, transientThrown } from './provider-calls'

/** Pages of 200 jobs. No account has a million jobs, so a List that goes on after this many pages does not end. */
const maxPages = 5_000
/** Pause before the jobs are listed again where List was refused, and before a job that List does not show is asked for, ms. */
const pauseMs = 60_000
/** After this many denials in a row the job is taken not to exist any longer. */
const maxDenials = 8
/** The journal is asked for forgotten jobs at most once in this time, ms. */
const askEveryMs = 1_000
/** Jobs that are read at once: more than may be open in an account, so that none waits for the end of another. */
const readAtOnce = 16

export interface ForgottenJobsDeps {
  readonly journal: ForgottenJournal
  readonly calls: Pick<ProviderCalls, 'list' | 'query' | 'detail' | 'fetchResults'>
  readonly view: Pick<AccountView, 'looks$' | 'overdueAfterMs'>
  readonly observe: Observe
  readonly random: () => number
  /** How long after a create without an answer its job may still appear in List, ms. */
  readonly createSettleMs: number
  /** Rests after an unforeseen error. */
  readonly contained: <T>() => MonoTypeOperatorFunction<T>
  /** Repeats what failed with `TransientError`, after a pause. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
  /** Emits (and replays) once when everything is to be left to the next driver. */
  readonly stop$: Observable<unknown>
}

type Rows = ReadonlyMap<string, DeviceResult>

/** What is known of a job once it has ended, or its results as far as they could be had. */
type Read =
  | { readonly kind: 'told'; readonly rows: Rows }
  | { readonly kind: 'untold'; readonly rows: Rows; readonly why: string }

const untold = (why: string, rows: Rows = new Map()): Read => ({ kind: 'untold', rows, why })

/** The jobs that were listed, or why they could not be. */
type Listing = { readonly jobs: readonly ForgottenJob[]; readonly why: string | null }

/** `seen$` emits whenever a claim has met moves that wait for forgotten jobs. Never emits; errors when the lease is lost. */
export const createForgottenJobs = (
  deps: ForgottenJobsDeps,
): ((seen$: Observable<unknown>) => Observable<never>) => {
  const { journal, calls, view, observe, random, createSettleMs, contained, again, stop$ } = deps

  const listAll = (knownAt: number | null): Observable<Listing> =>
    defer(() => {
      const followed = new Set<string>()
      const page = (nextToken: string | null): Observable<CallResult<ListPage>> =>
        defer(() => calls.list(nextToken === null ? {} : { nextToken })).pipe(
          concatMap(transientThrown),
          again(),
        )
      let why: string | null = null
      return page(null).pipe(
        expand(found => {
          if (!found.ok) why = `List is refused: ${found.message} (${found.code})`
          if (!found.ok || found.value.nextToken === null) return EMPTY
          const { nextToken } = found.value
          if (followed.has(nextToken) || followed.size + 1 === maxPages) {
            why = 'List does not come to an end'
            return EMPTY
          }
          followed.add(nextToken)
          return page(nextToken)
        }),
        reduce<CallResult<ListPage>, ForgottenJob[]>((all, found) => {
          if (found.ok) all.push(...found.value.jobs.filter(job => mayBeForgotten(job, knownAt)))
          return all
        }, []),
        // Pages of List may overlap.
        map(jobs => ({ jobs: [...new Map(jobs.map(job => [job.providerJobId, job])).values()], why })),
      )
    })

  /** Until then a create that left before the restore may still appear in List. */
  const list = ({ restoreId, acceptedAgoMs, knownAt }: UnlistedRestore): Observable<never> =>
    timer(Math.max(0, createSettleMs - acceptedAgoMs)).pipe(
      concatMap(() => listAll(knownAt)),
      concatMap(({ jobs, why }) =>
        why === null
          ? journal
              .keepListed(restoreId, jobs)
              .pipe(tap(count => observe({ kind: 'forgotten-listed', jobs: count })))
          : journal.setListError(restoreId, why).pipe(
              tap(() => observe({ kind: 'forgotten-unlisted', why })),
              concatMap(() => EMPTY),
            ),
      ),
      repeat({ delay: () => timer(pauseMs) }),
      take(1),
      ignoreElements(),
    )

  const keep = (job: ForgottenJob, read: Read): Observable<void> => {
    const { providerJobId } = job
    if (read.kind === 'told')
      return journal
        .keepForgotten(job, read.rows)
        .pipe(tap(() => observe({ kind: 'forgotten-read', providerJobId, devices: read.rows.size })))
    return journal
      .holdForgotten(job, read.rows, read.why)
      .pipe(tap(() => observe({ kind: 'forgotten-held', providerJobId, why: read.why })))
  }

  /** Holds a job for people whenever it has taken too long once more. Its end is awaited all the same. */
  const createOverdueWatch = (job: ForgottenJob): Observable<never> => {
    let since = job.createdAt
    return defer(() => {
      const now = asyncScheduler.now()
      if (now - since < view.overdueAfterMs()) return EMPTY
      since = now
      const minutes = Math.round((now - job.createdAt) / 60_000)
      return keep(job, untold(`it has not ended ${minutes} minutes after it was created`)).pipe(
        ignoreElements(),
      )
    })
  }

  /** Emits once: null when the job has ended, else why it cannot be known whether it has. */
  const awaitEnd = (job: ForgottenJob): Observable<string | null> =>
    defer(() => {
      const { providerJobId } = job
      if (job.status >= 2) return of(null)
      const overdue = createOverdueWatch(job)
      const endedAs = (status: ForgottenJob['status']) => (status >= 2 ? of(null) : overdue)
      let denials = 0
      let askFrom = Number.NEGATIVE_INFINITY
      const ask = defer(() => {
        askFrom = asyncScheduler.now() + pauseMs
        return calls.query(providerJobId)
      }).pipe(
        concatMap((result): Observable<string | null> => {
          if (result.ok) {
            denials = 0
            return endedAs(result.value.status)
          }
          if (isPassing(result)) return EMPTY
          denials += 1
          return denials < maxDenials
            ? EMPTY
            : of(`List does not show it, and Query says: ${result.message} (${result.code})`)
        }),
      )
      const ended = ({ jobs }: Look): Observable<string | null> => {
        const listed = jobs.get(providerJobId)
        if (listed !== undefined) return endedAs(listed.status)
        return asyncScheduler.now() >= askFrom ? ask : EMPTY
      }
      return view.looks$.pipe(exhaustMap(ended), take(1))
    })

  /** Asks for the results until they are complete, or the usual tries are over. */
  const readResults = ({ providerJobId, productKey, total, status }: ForgottenJob): Observable<Read> =>
    defer(() => {
      const answers: ResultsAnswer[] = []
      let rows: Rows = new Map()
      let againInMs = 0
      return createAsk({ calls, providerJobId, names: null, kept: { link: null } }).pipe(
        map(({ answer, rows: found, problem }): Read | null => {
          answers.push(answer)
          // A row for the product itself is no device.
          rows = mergeRows(rows, new Map([...found].filter(([name]) => name !== productKey)))
          const missing = Math.max(0, total - rows.size)
          // An interrupted job is settled without its missing rows. Here they are wanted all the same, so it is asked twice.
          const so = { ended: status === 3 ? 'interrupted' : 'completed', isFound: false } as const
          const decision = decideOnResults({ ...so, answers, reported: rows.size, missing }, random())
          if (decision.kind === 'again') {
            againInMs = decision.afterMs
            return null
          }
          if (missing === 0) return { kind: 'told', rows }
          return untold(
            `its results leave out ${missing} of ${total} devices${problem && `: ${problem}`}`,
            rows,
          )
        }),
        repeat({ delay: () => timer(againInMs) }),
        filter(read => read !== null),
        take(1),
      )
    })

  const inHand = new Set<string>()
  const read = (job: ForgottenJob): Observable<never> =>
    awaitEnd(job).pipe(
      concatMap(why => (why === null ? readResults(job) : of(untold(why)))),
      concatMap(result => keep(job, result)),
      contained(),
      finalize(() => inHand.delete(job.providerJobId)),
      ignoreElements(),
    )

  const unread = defer(() => journal.forgotten()).pipe(
    concatMap(({ unlisted, jobs }) => (unlisted === null ? from(jobs) : list(unlisted))),
    filter(({ providerJobId }) => !inHand.has(providerJobId)),
    tap(({ providerJobId }) => inHand.add(providerJobId)),
    contained(),
  )

  return seen$ =>
    seen$.pipe(
      exhaustMap(() => concat(unread, timer(askEveryMs).pipe(ignoreElements()))),
      mergeMap(read, readAtOnce),
      takeUntil(stop$),
    )
}
