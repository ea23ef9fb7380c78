import {
  concat,
  concatMap,
  defer,
  EMPTY,
  finalize,
  ignoreElements,
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
import type { EndedJob } from '../drive/await-end'
import type { Containment } from '../drive/containment'
import type { SlotResult } from '../drive/run-job'
import { createMutex } from '../operators/mutex'
import { waitUntil } from '../operators/wait-until'
import type { Changes, Claim, DriveJournal } from '../ports/journal'

export interface DriveDeps {
  readonly journal: DriveJournal
  readonly changes$: Changes
  /** Slot loops: jobs that may be open at once. */
  readonly slots: number
  /** `run-job.ts`: emits what comes after the slot; completes without it when the batch is to be claimed again. */
  readonly runJob: (job: Job) => Observable<SlotResult>
  /** `settle-job.ts` */
  readonly settleJob: (ended: EndedJob) => Observable<unknown>
  /** An unforeseen error stops one batch, or one claim, for a while. */
  readonly contained: Containment
  /** Moves of ended jobs, kept in memory until their results are had: from so many on nothing more is claimed. */
  readonly maxEndedMoves: number
  readonly observe: Observe
  /** Emits (and replays) once when no new batch may be claimed. The flow then completes when calls under way have. */
  readonly stop$: Observable<unknown>
}
const untilLetGo: Claim = { kind: 'idle', wakeInMs: null }
/** Emits nothing. Errors when the lease is lost; any other is contained. */
export const drive$ = (deps: DriveDeps): Observable<never> => {
  const { journal, changes$, slots, runJob, settleJob, contained, maxEndedMoves, observe, stop$ } = deps
  /** Batches in a slot or being settled: the journal offers every other unfinished one again. */
  const inHand = new Set<number>()
  let endedMoves = 0
  const oneAtATime = createMutex()
  /** A batch was let go: it, or another of its route, may be claimed. */
  const letGo$ = new Subject<void>()

  const claimNext: Observable<Job> = oneAtATime(
    waitUntil<Claim>(
      defer(() => (endedMoves < maxEndedMoves ? journal.claim([...inHand]) : of(untilLetGo))),
      merge(changes$, letGo$),
    ).pipe(
      map(({ job }) => job),
      tap(job => {
        inHand.add(job.batchId)
        observe({
          kind: 'batch-claimed',
          batchId: job.batchId,
          routeId: job.routeId,
          moves: job.moves.length,
        })
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

  const slotLoop = claimNext.pipe(
    contained(),
    concatMap(job => {
      let handedOn = false
      return concat(
        defer(() => runJob(job)).pipe(
          contained(),
          tap(() => {
            handedOn = true
          }),
        ),
        // What is handed on stays in hand until it is through, downstream, where it holds no slot.
        defer(() => (handedOn ? EMPTY : letGo(job.batchId))),
      )
    }),
    // Never at once: a repeat without a pause would pile up on the stack.
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
  const afterSlot = (step: SlotResult): Observable<never> =>
    step.kind === 'ended'
      ? concat(settled(step), letGo(step.job.batchId))
      : concat(timer(step.forMs).pipe(takeUntil(stop$), ignoreElements()), letGo(step.batchId))

  return range(0, slots).pipe(
    mergeMap(() => slotLoop),
    mergeMap(afterSlot),
  )
}
