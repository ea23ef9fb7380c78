/** Asks the provider, one by one, where devices are that no result file tells of. */
import {
  asyncScheduler,
  concatMap,
  defer,
  filter,
  from,
  map,
  merge,
  mergeMap,
  type Observable,
  ReplaySubject,
  repeat,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import type { LookUp, UntoldJob, Whereabouts } from '../domain/look-up'
import { type BackoffPolicy, retryDelayMs } from '../domain/retry-policy'
import type { CallFailure, CallResult } from '../ports/job-api'
import type { DriveJournal } from '../ports/journal'
import { isPassing, type ProviderCalls } from './provider-calls'

/** After this many unrecognised answers in a row the job's other devices are not looked up. */
const maxUseless = 3
/**
 * After this many refusals of the account in a row, a minute apart, the job's other devices are not looked up: the
 * account may lack the permission.
 */
const maxRefusals = 8

/** Whether it makes sense to look up further devices of a job. Once lost, it stays lost. */
export interface Patience {
  weigh(result: CallResult<unknown>): void
  lose(): void
  isLost(): boolean
  /** Emits (and replays) once when it is lost. */
  readonly lost$: Observable<void>
}

export const createPatience = (): Patience => {
  const lost$ = new ReplaySubject<void>(1)
  let [useless, refusals, isLost] = [0, 0, false]
  const lose = (): void => {
    if (isLost) return
    isLost = true
    lost$.next()
  }
  return {
    lose,
    weigh: result => {
      if (result.ok) [useless, refusals] = [0, 0]
      else if (result.kind === 'account-refused') refusals += 1
      else if (result.kind === 'unknown' || result.kind === 'slots-full') useless += 1
      else if (result.kind === 'batch-refused') useless = 0
      if (useless >= maxUseless || refusals >= maxRefusals) lose()
    },
    isLost: () => isLost,
    lost$,
  }
}

/** Look-ups under way at once. The quota sets the pace; more than one hides the time that an answer takes. */
const atOnce = 4
/** After this many unanswered tries of a device, about an hour and a half, its job's other devices are not looked up. */
const maxUnanswered = 25
const backoff: BackoffPolicy = { backoffMs: 1_000, backoffMaxMs: 300_000 }

export interface LookUpDevicesDeps {
  readonly journal: Pick<DriveJournal, 'addCalls'>
  readonly calls: Pick<ProviderCalls, 'provisioning'>
  readonly random: () => number
  /** Emits (and replays) once when no further call may leave. */
  readonly stop$: Observable<unknown>
}

type Untold = Pick<UntoldJob, 'batchId' | 'route'>

/**
 * Emits each answer as it comes. Completes early when stopped and when the patience with the job is lost: calls that
 * wait for the quota are withdrawn, and those that have left are awaited.
 */
export const createLookUpDevices = ({ journal, calls, random, stop$ }: LookUpDevicesDeps) => {
  const lookUp = ({ batchId, route }: Untold, deviceName: string, patience: Patience): Observable<LookUp> => {
    const off$ = merge(stop$, patience.lost$)
    let [tries, unanswered] = [0, 0]
    const mayAskAgain = (failure: CallFailure): boolean => {
      if (failure.kind === 'unanswered') unanswered += 1
      if (unanswered >= maxUnanswered) patience.lose()
      return isPassing(failure)
    }
    // Completes without a value when withdrawn.
    return defer(() => calls.provisioning(route.productKey, deviceName, off$)).pipe(
      concatMap(result => journal.addCalls(batchId, 1).pipe(map(() => result))),
      tap(result => patience.weigh(result)),
      map((result): LookUp | null => {
        tries += 1
        return !result.ok && mayAskAgain(result) ? null : lookUpOf(deviceName, result)
      }),
      repeat({ delay: () => timer(retryDelayMs(tries, random(), backoff)).pipe(takeUntil(off$)) }),
      filter(found => found !== null),
      take(1),
    )
  }

  return (job: Untold, deviceNames: readonly string[], patience: Patience): Observable<LookUp> =>
    from(deviceNames).pipe(mergeMap(name => lookUp(job, name, patience), atOnce))
}

const lookUpOf = (deviceName: string, result: CallResult<Whereabouts>): LookUp => ({
  deviceName,
  answeredAt: asyncScheduler.now(),
  found: result.ok ? result.value : null,
  code: result.ok ? null : result.code,
})
