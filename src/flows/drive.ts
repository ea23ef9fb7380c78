/**
 * From a pending move to its stored outcome, while this process holds the lease.
 *
 *   claim          one at a time: the best ready route's next batch, or an unfinished one that nobody has in hand
 *   slot loops     as many as jobs may be open: create the batch's job, then wait until it has ended at the provider
 *   settlement     downstream, so that the slot is free: fetch the result file, store the outcomes, re-queue failures
 *   look-ups       one line beside them: the devices that no file tells of are looked up one by one, then settled
 *
 * Limits. Each call to the provider waits for a token of the rate limiter. Each create waits for a slot of the
 * semaphore, which counts other people's jobs too. A job whose results cannot be had is not in memory until the next try.
 *
 * Errors. What waiting cures is retried below this flow, in the journal's and the provider's calls. An unforeseen
 * error rests one claim, one batch in its slot, one settlement or the look-ups for `restMs`; the journal then offers the
 * batch again as unfinished. The loss of the lease ends the flow.
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  expand,
  finalize,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  merge,
  mergeMap,
  type Observable,
  range,
  repeat,
  Subject,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { Job } from '../domain/job'
import { RestoredDatabaseError } from '../domain/restored-database'
import { createAccountView } from '../drive/account-view'
import type { EndedJob } from '../drive/await-end'
import { createHoldHopeless } from '../drive/hold-job'
import { createLookUpLine } from '../drive/look-up-line'
import { createProviderCalls } from '../drive/provider-calls'
import { createRunJob, type SlotResult } from '../drive/run-job'
import { createSettleJob, type ResultsLater } from '../drive/settle-job'
import { createMutex, createSlotSemaphore, type SlotSemaphore } from '../operators/semaphore'
import { waitUntil } from '../operators/wait-until'
import { LeaseLostError } from '../ports/errors'
import type { Claim, DriveJournal } from '../ports/journal'
import type { DrivePolicies, Driver, DriverDeps } from './drive-options'

export const createDriver = (deps: DriverDeps): Driver => {
  const { api, limiter, policies, random, stop$, again } = deps
  /** An answered create frees its route for the next batch. */
  const created$ = new Subject<void>()
  const observe: Observe = event => {
    deps.observe(event)
    if (event.kind === 'job-created') created$.next()
  }
  let slots: SlotSemaphore | null = null

  const driveWith = (
    journal: DriveJournal,
    mayCall: () => boolean,
    meanJobMs: number | null,
  ): Observable<never> => {
    slots = createSlotSemaphore({ capacity: policies.quotaJobs })
    const calls = createProviderCalls({ api: api(mayCall), limiter, mayCall, observe })
    const view = createAccountView({
      calls,
      slots,
      capacity: policies.quotaJobs,
      meanJobMs,
      overdueFactor: policies.overdueFactor,
      again,
      // The lease itself says when it is lost; until then the looks go on.
      onError: error => {
        if (!(error instanceof LeaseLostError)) observe({ kind: 'defect', flow: 'drive', error })
      },
    })
    const shared = { journal, calls, observe, random, stop$ }
    const { refusals, createSettleMs, attempts, lookUpMaxDevices } = policies
    const runJob = createRunJob({ ...shared, slots, view, policy: refusals, createSettleMs, again })
    const untold$ = new Subject<void>()
    const onUntold = (): void => untold$.next()
    const settleJob = createSettleJob({ ...shared, policy: attempts, lookUpMaxDevices, onUntold })
    const heldIfHopeless = createHoldHopeless(shared)
    const contained = createContained(deps)
    const slots$ = slotLoops({
      journal,
      searches: slots.searches,
      changes$: merge(deps.changes$, created$),
      runJob,
      settleJob: ended => settleJob(ended).pipe(heldIfHopeless(ended.job)),
      policies,
      observe,
      stop$,
      contained,
    })
    const lookUps$ = createLookUpLine({ ...shared, policy: attempts, wake$: untold$ })
    return merge(slots$, again$(lookUps$.pipe(contained()), stop$))
  }

  return {
    drive: (journal, mayCall) =>
      defer(() => journal.meanJobMs()).pipe(
        concatMap(meanJobMs => driveWith(journal, mayCall, meanJobMs)),
        finalize(() => {
          slots = null
        }),
      ),
    openJobs: () => slots?.open() ?? null,
  }
}

/** Begins anew whenever the stream completes, until it is stopped. The timer keeps the stack flat. */
const again$ = <T>(stream: Observable<T>, stop$: Observable<unknown>): Observable<T> =>
  stream.pipe(repeat({ delay: () => timer(0).pipe(takeUntil(stop$)) }))

/**
 * After an unforeseen error: completes after the rest. The loss of the lease or of commits passes
 * through, since it stops everything.
 */
const createContained =
  ({ observe, policies, stop$ }: Pick<DriverDeps, 'observe' | 'policies' | 'stop$'>) =>
  <T>(): MonoTypeOperatorFunction<T> =>
    catchError((error: unknown) => {
      if (error instanceof LeaseLostError || error instanceof RestoredDatabaseError) throw error
      observe({ kind: 'defect', flow: 'drive', error })
      return timer(policies.restMs).pipe(takeUntil(stop$), ignoreElements())
    })

interface SlotLoopsDeps {
  readonly journal: DriveJournal
  readonly searches: SlotSemaphore['searches']
  readonly changes$: Observable<unknown>
  /** Emits what comes after the slot; completes without it when the batch may be claimed again at once. */
  readonly runJob: (job: Job) => Observable<SlotResult>
  /** Completes when nothing is left to be done with the batch for now. */
  readonly settleJob: (ended: EndedJob) => Observable<ResultsLater>
  readonly policies: DrivePolicies
  readonly observe: Observe
  readonly stop$: Observable<unknown>
  readonly contained: <T>() => MonoTypeOperatorFunction<T>
}

/** What comes after a slot, until the batch is let go. */
type AfterSlot = SlotResult | ResultsLater

const slotLoops = (deps: SlotLoopsDeps): Observable<never> => {
  const { journal, searches, changes$, runJob, settleJob, policies, observe, stop$, contained } = deps
  /**
   * Batches that are in a slot, wait for their next create, or are being settled. The journal offers every other
   * unfinished batch again.
   */
  const inHand = new Set<number>()
  const oneAtATime = createMutex()
  /** A batch was let go: it, or another of its route, may be claimed. */
  const letGo$ = new Subject<void>()

  const claimNext: Observable<Job> = oneAtATime(
    waitUntil<Claim>(
      defer(() => journal.claim([...inHand], searches.mayGo())),
      merge(changes$, letGo$),
    ).pipe(
      map(({ job }) => job),
      tap(({ batchId, routeId, moves, search }) => {
        inHand.add(batchId)
        searches.taken(batchId, search !== null)
        observe({ kind: 'batch-claimed', batchId, routeId, moves: moves.length })
      }),
      takeUntil(stop$),
    ),
  )

  const letGo = (batchId: number): Observable<never> =>
    defer(() => {
      inHand.delete(batchId)
      letGo$.next()
      return EMPTY
    })

  /** What a batch hands on stays in hand. A batch that completes without that is let go. */
  const orLetGo = (batchId: number, work: Observable<AfterSlot>): Observable<AfterSlot> => {
    let isHandedOn = false
    return concat(
      work.pipe(
        contained(),
        tap(() => {
          isHandedOn = true
        }),
      ),
      defer(() => (isHandedOn ? EMPTY : letGo(batchId))),
    )
  }

  const slotLoop = again$(
    claimNext.pipe(
      contained(),
      concatMap(job =>
        orLetGo(job.batchId, defer(() => runJob(job)).pipe(finalize(() => searches.left(job.batchId)))),
      ),
    ),
    stop$,
  )

  /** Keeps no job in memory over a pause: a large one takes some megabytes, and many may wait at once. */
  const afterSlot = (result: AfterSlot): Observable<AfterSlot> => {
    switch (result.kind) {
      case 'ended':
        return orLetGo(
          result.job.batchId,
          defer(() => settleJob(result)),
        )
      case 'put-off':
        return concat(timer(result.forMs).pipe(takeUntil(stop$), ignoreElements()), letGo(result.batchId))
      case 'results-later': {
        const { batchId, as, forMs } = result
        const ended = timer(forMs).pipe(
          takeUntil(stop$),
          concatMap(() => journal.load(batchId)),
          map(job => ({ kind: 'ended', job, as }) as const),
        )
        return orLetGo(batchId, ended)
      }
    }
  }

  return range(0, policies.quotaJobs).pipe(
    mergeMap(() => slotLoop),
    expand(afterSlot),
    ignoreElements(),
  )
}
