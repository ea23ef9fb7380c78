/**
 * The journey of a request, as three flows that meet only in the journal:
 *
 *   intake$    records → parse → append to the journal (positions in the same transaction) → commit
 *   drive$     slot loops: claim the next batch → create its job → wait for the job's end; downstream: results → settle
 *   publish$   settled outcomes, in order → results and dead letters → remember how far
 *
 * Each flow stands whole in its file in `flows/`, with its limits and what it does about errors. Every replica takes
 * records in. One of them, the holder of the lease, drives and publishes.
 *
 * Each flow is guarded in the same way (`app/service.ts` gives the guard): it starts once the database is known to be
 * the one that was published from, and after an unforeseen error it starts over from what the journal holds.
 */
import {
  concat,
  defer,
  ignoreElements,
  map,
  merge,
  type Observable,
  of,
  ReplaySubject,
  switchMap,
  take,
  takeUntil,
  tap,
} from 'rxjs'
import type { FlowName } from './domain/flow-event'
import type { HeldLease, LeaseState } from './ports/lease'

export interface PipelineDeps {
  /** `flows/intake.ts`. Completes at the end of a file, never for Kafka. */
  readonly intake$: Observable<never>
  /** `flows/drive.ts`, for one epoch of the lease. Completes once stopped and all calls under way are answered. */
  readonly drive: (held: HeldLease) => Observable<never>
  /** `flows/publish.ts`. Completes when everything that was settled before `drain$` emitted is published. */
  readonly publish: (drain$: Observable<void>) => Observable<never>
  /** Emits at each change of hands. */
  readonly lease$: Observable<LeaseState>
  readonly guarded: (flow: FlowName, flow$: Observable<never>) => Observable<never>
  /** Emits (and replays) once when nothing new is to be started. */
  readonly stop$: Observable<void>
}

/** Emits nothing. Completes after `stop$`: intake at once, then driving, and publishing when all is published. */
export const pipeline$ = (deps: PipelineDeps): Observable<never> => {
  const { intake$, drive, publish, lease$, guarded, stop$ } = deps

  const takingIn$ = guarded('intake', intake$).pipe(takeUntil(stop$))

  /** Publishing ends after driving: what is settled last is published too. */
  const drivingAndPublishing = (held: HeldLease): Observable<never> =>
    defer(() => {
      const drain$ = new ReplaySubject<void>(1)
      const driving$ = guarded('drive', drive(held)).pipe(tap({ complete: () => drain$.next() }))
      return merge(driving$, guarded('publish', publish(drain$)))
    })

  const whileLeased$ = lease$.pipe(
    // A lease that is lost drops whatever is under way; the journal knows how far it came.
    switchMap(state =>
      state.kind === 'held' ? concat(drivingAndPublishing(state), of('done')) : stop$.pipe(map(() => 'done')),
    ),
    take(1),
    ignoreElements(),
  )

  return merge(takingIn$, whileLeased$)
}
