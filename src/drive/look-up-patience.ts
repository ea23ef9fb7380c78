import { type Observable, ReplaySubject } from 'rxjs'
import type { CallResult } from '../ports'

/** After so many answers in a row that no table knows nobody expects a better one. */
const maxUseless = 3
/** Refusals of the account pass, if a minute apart; but perhaps it may not look up at all. */
const maxRefusals = 8

export interface Patience {
  weigh(result: CallResult<unknown>): void
  isLost(): boolean
  /** Emits (and replays) once when it is lost. */
  readonly lost$: Observable<void>
}

/** Whether it makes sense to look up further devices of a job. */
export const createPatience = (): Patience => {
  const lost$ = new ReplaySubject<void>(1)
  let [useless, refusals, isLost] = [0, 0, false]
  return {
    weigh: result => {
      if (result.ok) [useless, refusals] = [0, 0]
      else if (result.kind === 'account-refused') refusals += 1
      else if (result.kind === 'unknown' || result.kind === 'slots-full') useless += 1
      else if (result.kind === 'batch-refused') useless = 0
      if (isLost || (useless < maxUseless && refusals < maxRefusals)) return
      isLost = true
      lost$.next()
    },
    isLost: () => isLost,
    lost$,
  }
}
