/**
 * From a pending move to its stored outcome, while this process holds the lease.
 *
 *   claim          one at a time: the best ready route's next batch, or an unfinished one that nobody has in hand
 *   slot loops     as many as jobs may be open: create the batch's job, then wait until it has ended at the provider
 *   settlement     downstream, so that the slot is free: fetch the result file, store the outcomes, re-queue failures
 *
 * Limits. Each call to the provider waits for a token of the rate limiter. Each create waits for a slot of the
 * semaphore, which counts other people's jobs too. At most `maxEndedMoves` moves of ended jobs are kept in memory.
 *
 * Errors. What waiting cures is retried below this flow, in the journal's and the provider's calls. An unforeseen
 * error rests one claim, one batch in its slot, or one settlement for `restMs`; the journal then offers the batch again
 * as unfinished. The loss of the lease ends the flow.
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  finalize,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  range,
  repeat,
  Subject,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { Job } from '../domain/job'
import type { RefusalPolicy } from '../domain/refusal'
import { RestoredDatabaseError } from '../domain/restored-database'
import type { AttemptPolicy } from '../domain/settlement'
import { createAccountView } from '../drive/account-view'
import type { EndedJob } from '../drive/await-end'
import { createHoldHopeless } from '../drive/hold-job'
import { createProviderCalls } from '../drive/provider-calls'
import { createRunJob, type SlotResult } from '../drive/run-job'
import { createSettleJob } from '../drive/settle-job'
import type { RateLimiter } from '../operators/rate-limit'
import { createMutex, createSlotSemaphore, type SlotSemaphore } from '../operators/semaphore'
import { waitUntil } from '../operators/wait-until'
import { LeaseLostError } from '../ports/errors'
import type { JobApi, Operation } from '../ports/job-api'
import type { Changes, Claim, DriveJournal } from '../ports/journal'

export interface DrivePolicies {
  /** Jobs that may be open at once in the account, other people's included. */
  readonly quotaJobs: number
  /** How long after a create without an answer its job may still appear in List, ms. */
  readonly createSettleMs: number
  readonly attempts: AttemptPolicy
  readonly refusals: RefusalPolicy
  /** At most this many devices of one job are looked up one by one; 0: no look-ups. */
  readonly lookUpMaxDevices: number
  /** A job that runs for so many times the mean is overdue. */
  readonly overdueFactor: number
  /** How long a claim, a batch or a settlement rests after an unforeseen error, ms. */
  readonly restMs: number
  /** Nothing is claimed while this many moves of ended jobs wait in memory for their results. */
  readonly maxEndedMoves: number
}

export interface DriverDeps {
  /** The provider, for one epoch of the lease. */
  readonly api: (mayCall: () => boolean) => JobApi
  /** Outlives epochs, since the provider still counts the calls of the last one. */
  readonly limiter: RateLimiter<Operation>
  readonly changes$: Changes
  readonly policies: DrivePolicies
  readonly observe: Observe
  /** 0 up to 1. */
  readonly random: () => number
  /** Emits (and replays) once when no new batch may be claimed. The flow completes when the calls under way have. */
  readonly stop$: Observable<unknown>
  /** Repeats a List that failed with `TransientError`, after a pause, without end. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
}

export interface Driver {
  /** The flow for one epoch of the lease. Emits nothing; errors only with `LeaseLostError` or `RestoredDatabaseError`. */
  drive(journal: DriveJournal, mayCall: () => boolean): Observable<never>
  /** Jobs open now; null while this process does not drive and so does not know. */
  openJobs(): ReturnType<SlotSemaphore['open']> | null
}

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
    const settleJob = createSettleJob({ ...shared, policy: attempts, lookUpMaxDevices })
    const heldIfHopeless = createHoldHopeless(shared)
    return slotLoops({
      journal,
      searches: slots.searches,
      changes$: merge(deps.changes$, created$),
      runJob,
      settleJob: ended => settleJob(ended).pipe(heldIfHopeless(ended.job)),
      policies,
      observe,
      stop$,
    })
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

interface SlotLoopsDeps {
  readonly journal: DriveJournal
  readonly searches: SlotSemaphore['searches']
  readonly changes$: Observable<unknown>
  /** Emits what comes after the slot; completes without it when the batch may be claimed again at once. */
  readonly runJob: (job: Job) => Observable<SlotResult>
  readonly settleJob: (ended: EndedJob) => Observable<unknown>
  readonly policies: DrivePolicies
  readonly observe: Observe
  readonly stop$: Observable<unknown>
}

/** Nothing is claimed now, since too many ended moves are in memory. The claim tries again when a batch is let go. */
const untilLetGo: Claim = { kind: 'idle', wakeInMs: null }

const slotLoops = (deps: SlotLoopsDeps): Observable<never> => {
  const { journal, searches, changes$, runJob, settleJob, policies, observe, stop$ } = deps
  /**
   * Batches that are in a slot, wait for their next create, or are being settled. The journal offers every other
   * unfinished batch again.
   */
  const inHand = new Set<number>()
  let endedMoves = 0
  const oneAtATime = createMutex()
  /** A batch was let go: it, or another of its route, may be claimed. */
  const letGo$ = new Subject<void>()

  /** Completes after the rest. The loss of the lease or of commits passes through, since it stops everything. */
  const contained = <T>(): MonoTypeOperatorFunction<T> =>
    catchError((error: unknown) => {
      if (error instanceof LeaseLostError || error instanceof RestoredDatabaseError) throw error
      observe({ kind: 'defect', flow: 'drive', error })
      return timer(policies.restMs).pipe(takeUntil(stop$), ignoreElements())
    })

  const claimNext: Observable<Job> = oneAtATime(
    waitUntil<Claim>(
      defer(() =>
        endedMoves < policies.maxEndedMoves ? journal.claim([...inHand], searches.mayGo()) : of(untilLetGo),
      ),
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

  const inItsSlot = (job: Job): Observable<SlotResult> => {
    let isHandedOn = false
    return concat(
      defer(() => runJob(job)).pipe(
        contained(),
        finalize(() => searches.left(job.batchId)),
        tap(() => {
          isHandedOn = true
        }),
      ),
      // What is handed on stays in hand until it is settled or no longer put off.
      defer(() => (isHandedOn ? EMPTY : letGo(job.batchId))),
    )
  }

  const slotLoop = claimNext.pipe(
    contained(),
    concatMap(inItsSlot),
    // The timer keeps the stack flat: a repeat without one would nest each round in the one before.
    repeat({ delay: () => timer(0).pipe(takeUntil(stop$)) }),
  )

  const settled = (ended: EndedJob): Observable<never> =>
    defer(() => {
      const moves = ended.job.moves.length
      endedMoves += moves
      return defer(() => settleJob(ended)).pipe(
        contained(),
        finalize(() => {
          endedMoves -= moves
        }),
        ignoreElements(),
      )
    })

  const afterSlot = (result: SlotResult): Observable<never> =>
    result.kind === 'ended'
      ? concat(settled(result), letGo(result.job.batchId))
      : concat(timer(result.forMs).pipe(takeUntil(stop$), ignoreElements()), letGo(result.batchId))

  return range(0, policies.quotaJobs).pipe(
    mergeMap(() => slotLoop),
    mergeMap(afterSlot),
  )
}
