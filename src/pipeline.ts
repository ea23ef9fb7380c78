/**
 * The whole journey of a request, as three flows that meet only in the journal:
 *
 *   intake$    records → parse → append to the journal (positions in the same transaction) → commit
 *   drive$     slot loops: claim the next batch → create → wait for its job's end; downstream: results → settle
 *   publish$   settled outcomes, in order → results and dead letters → remember how far
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  finalize,
  from,
  ignoreElements,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  range,
  repeat,
  Subject,
  switchMap,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import type { Observe } from './domain/flow-event'
import type { Job } from './domain/job'
import type { EndedJob } from './drive/await-end'
import type { Containment } from './drive/containment'
import type { JobStep } from './drive/run-job'
import { createTurnstile } from './operators/one-at-a-time'
import { waitUntil } from './operators/wait-until'
import type {
  Changes,
  Claim,
  DriveJournal,
  IntakeJournal,
  OutcomeSink,
  RequestSource,
  SinkSession,
  SourceChunk,
} from './ports'

// ── intake$ ───────────────────────────────────────────────────────────────────────────────────────────────────

export interface IntakeDeps {
  readonly source: RequestSource
  readonly journal: IntakeJournal
  /** What one chunk of records becomes: one or more chunks of the journal, in order. */
  readonly toJournal: (
    clusterId: string,
    chunk: SourceChunk,
  ) => Iterable<Parameters<IntakeJournal['append']>[0]>
  readonly observe: Observe
}

/** Completes when the source does (a file; never Kafka). Emits nothing. */
export const intake$ = ({ source, journal, toJournal, observe }: IntakeDeps): Observable<never> => {
  const store = (clusterId: string, chunk: SourceChunk): Observable<never> =>
    from(toJournal(clusterId, chunk)).pipe(
      concatMap(part => journal.append(part)),
      tap(({ moves, rejections }) =>
        observe({ kind: 'appended', partition: chunk.partition, moves, rejections }),
      ),
      ignoreElements(),
      tap({ complete: () => chunk.done() }),
      catchError((error: unknown) => {
        // Not stored, so not committed: the source offers it again, after a pause of its own.
        observe({ kind: 'defect', flow: 'intake', error })
        chunk.fail(error)
        return EMPTY
      }),
    )
  return source
    .clusterId()
    .pipe(
      switchMap(clusterId =>
        source
          .chunks((topic, partitions) => journal.positions(clusterId, topic, partitions))
          .pipe(mergeMap(chunk => store(clusterId, chunk))),
      ),
    )
}

// ── drive$ ────────────────────────────────────────────────────────────────────────────────────────────────────

export interface DriveDeps {
  readonly journal: DriveJournal
  readonly changes$: Changes
  /** Slot loops: jobs that may be open at once. */
  readonly slots: number
  /** `run-job.ts`: emits what comes after the slot; completes without it when the batch is to be claimed again. */
  readonly runJob: (job: Job) => Observable<JobStep>
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
  const oneAtATime = createTurnstile()
  /** A batch was let go: it, or another of its route, may be claimed. */
  const letGo$ = new Subject<void>()

  const claimNext: Observable<Job> = oneAtATime(
    waitUntil<Claim>(
      defer(() => (endedMoves < maxEndedMoves ? journal.claim([...inHand]) : of(untilLetGo))),
      merge(changes$, letGo$),
    ).pipe(
      map(({ job }) => job),
      tap(job => {
        inHand.add(job.jobId)
        observe({ kind: 'batch-claimed', jobId: job.jobId, routeId: job.routeId, moves: job.moves.length })
      }),
      takeUntil(stop$),
    ),
  )

  const letGo = (jobId: number): Observable<never> =>
    defer(() => {
      inHand.delete(jobId)
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
        defer(() => (handedOn ? EMPTY : letGo(job.jobId))),
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
  const afterSlot = (step: JobStep): Observable<never> =>
    step.kind === 'ended'
      ? concat(settled(step), letGo(step.job.jobId))
      : concat(timer(step.forMs).pipe(takeUntil(stop$), ignoreElements()), letGo(step.jobId))

  return range(0, slots).pipe(
    mergeMap(() => slotLoop),
    mergeMap(afterSlot),
  )
}

// ── publish$ ──────────────────────────────────────────────────────────────────────────────────────────────────

export interface PublishDeps {
  readonly sink: OutcomeSink
  /** `publish-outbox.ts`: completes once drained. */
  readonly publishOutbox: (session: SinkSession) => Observable<unknown>
}

/** Any error ends the session; whoever subscribes again goes on where it stood. Completes once drained. */
export const publish$ = ({ sink, publishOutbox }: PublishDeps): Observable<never> =>
  sink.open().pipe(
    switchMap(session => concat(publishOutbox(session).pipe(ignoreElements()), of('drained'))),
    take(1),
    ignoreElements(),
  )
