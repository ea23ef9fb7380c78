import {
  catchError,
  ignoreElements,
  type MonoTypeOperatorFunction,
  type Observable,
  takeUntil,
  timer,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { LeaseLostError } from '../ports/errors'

/** One thing that goes wrong stops only itself: what it had in hand rests, and is taken up again as unfinished. */
export type Containment = <T>() => MonoTypeOperatorFunction<T>

export interface ContainmentDeps {
  /** Rest after an unforeseen error, ms. */
  readonly restMs: number
  readonly observe: Observe
  /** Emits (and replays) once when nothing is to be waited for any longer. */
  readonly stop$: Observable<unknown>
}

/** Completes after the rest. The loss of the lease passes through: that stops everything. */
export const createContainment =
  ({ restMs, observe, stop$ }: ContainmentDeps): Containment =>
  () =>
    catchError((error: unknown) => {
      if (error instanceof LeaseLostError) throw error
      observe({ kind: 'defect', flow: 'drive', error })
      return timer(restMs).pipe(takeUntil(stop$), ignoreElements())
    })
