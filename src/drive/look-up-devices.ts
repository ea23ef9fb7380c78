/**
 * Looks up, one by one, the devices that a job's result file does not name, before any of them is sent again. A device
 * that has moved must not be sent a second time.
 */
import {
  asyncScheduler,
  concat,
  concatMap,
  defer,
  EMPTY,
  filter,
  from,
  ignoreElements,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  ReplaySubject,
  repeat,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { Job } from '../domain/job'
import { type Fate, fatesOf, type LookUp, openJobOf, type Whereabouts } from '../domain/look-up'
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
interface Patience {
  weigh(result: CallResult<unknown>): void
  isLost(): boolean
  /** Emits (and replays) once when it is lost. */
  readonly lost$: Observable<void>
}

const createPatience = (): Patience => {
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

/** Look-ups under way at once. The quota sets the pace; more than one hides the time that an answer takes. */
const atOnce = 4
/** After this many unanswered tries, about 15 minutes, a device is given up, so that its job can be settled. */
const maxUnanswered = 10
/** Answers are stored each time that this many have come, so that a crash loses no more of them. */
const keepEvery = 25
/** A stored answer, from before a restart or before the job was held, is used for this long, ms. */
const freshForMs = 3_600_000
const backoff: BackoffPolicy = { backoffMs: 1_000, backoffMaxMs: 300_000 }

export interface LookUpDevicesDeps {
  readonly journal: Pick<DriveJournal, 'addCalls' | 'keepLookUps' | 'keptLookUps'>
  readonly calls: Pick<ProviderCalls, 'provisioning'>
  readonly observe: Observe
  readonly random: () => number
  /** At most this many devices of one job are looked up. */
  readonly maxDevices: number
  /** Emits (and replays) once when no further call may leave. */
  readonly stop$: Observable<unknown>
}

/**
 * Emits once what is known, by device name. A device that is missing was not looked up: there were too many, or the
 * provider does not answer. Completes without a value when stopped before the end. The answers so far are stored, and
 * the next driver asks for the others only.
 */
export const createLookUpDevices = (
  deps: LookUpDevicesDeps,
): ((job: Job, deviceNames: readonly string[]) => Observable<ReadonlyMap<string, Fate>>) => {
  const { journal, calls, observe, random, maxDevices, stop$ } = deps

  const lookUp = (job: Job, deviceName: string, patience: Patience): Observable<LookUp> => {
    const off$ = merge(stop$, patience.lost$)
    let [tries, unanswered] = [0, 0]
    const mayAskAgain = (failure: CallFailure): boolean => {
      if (failure.kind === 'unanswered') unanswered += 1
      return isPassing(failure) && unanswered < maxUnanswered
    }
    // Completes without a value when withdrawn.
    return defer(() => calls.provisioning(job.route.productKey, deviceName, off$)).pipe(
      concatMap(result => journal.addCalls(job.batchId, 1).pipe(map(() => result))),
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

  const lookUpAll = (
    job: Job,
    deviceNames: readonly string[],
    kept: readonly LookUp[],
  ): Observable<ReadonlyMap<string, Fate>> => {
    const wanted = new Set(deviceNames.slice(0, maxDevices))
    const answers = kept.filter(known => wanted.has(known.deviceName) && isFresh(known))
    for (const { deviceName } of answers) wanted.delete(deviceName)
    const patience = createPatience()
    const keep = defer(() => journal.keepLookUps(job.batchId, [...answers])).pipe(ignoreElements())

    const noted = (answer: LookUp): Observable<never> => {
      answers.push(answer)
      wanted.delete(answer.deviceName)
      return answers.length % keepEvery === 0 ? keep : EMPTY
    }
    const conclusion = defer(() => {
      if (wanted.size > 0 && !patience.isLost()) return EMPTY
      const fates = fatesOf(answers, openJobOf(job))
      observe({ kind: 'devices-looked-up', batchId: job.batchId, ...countsOf(deviceNames, fates) })
      return of(fates)
    })
    return concat(
      from([...wanted]).pipe(
        mergeMap(name => lookUp(job, name, patience), atOnce),
        concatMap(noted),
      ),
      keep,
      conclusion,
    )
  }

  return (job, deviceNames) =>
    defer(() =>
      maxDevices === 0
        ? of(new Map<string, Fate>())
        : journal.keptLookUps(job.batchId).pipe(concatMap(kept => lookUpAll(job, deviceNames, kept))),
    )
}

const isFresh = ({ found, answeredAt }: LookUp): boolean =>
  found !== null && asyncScheduler.now() - answeredAt < freshForMs

const lookUpOf = (deviceName: string, result: CallResult<Whereabouts>): LookUp => ({
  deviceName,
  answeredAt: asyncScheduler.now(),
  found: result.ok ? result.value : null,
  code: result.ok ? null : result.code,
})

const countsOf = (deviceNames: readonly string[], fates: ReadonlyMap<string, Fate>) => {
  const count = (fate: Fate): number => [...fates.values()].filter(each => each === fate).length
  const [moved, elsewhere] = [count('moved'), count('elsewhere')]
  return { moved, elsewhere, untold: deviceNames.length - moved - elsewhere }
}
