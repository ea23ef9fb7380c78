/** Devices whose fate a job left open are looked up one by one, before anything of them is sent again. */
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
import type { ProviderCalls } from './provider-calls'

/** After so many answers in a row with unrecognised codes nobody expects a better one. */
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

/** Under way at once: the quota sets the pace, and a few hide the time an answer takes. */
const atOnce = 4
/** A device whose look-ups are not answered keeps the others of its job waiting no longer than about 15 minutes. */
const maxUnanswered = 10
/** Answers are kept so many at a time: a crash loses no more, and a restart does not begin anew. */
const keepEvery = 25
/** An answer kept by a predecessor, or before the job was held, is believed for so long. */
const freshForMs = 3_600_000
const backoff: BackoffPolicy = { backoffMs: 1_000, backoffMaxMs: 300_000 }

export interface LookUpDevicesDeps {
  readonly journal: Pick<DriveJournal, 'addCalls' | 'keepLookUps' | 'keptLookUps'>
  readonly calls: Pick<ProviderCalls, 'provisioning'>
  readonly observe: Observe
  readonly random: () => number
  /** Of one job. */
  readonly maxDevices: number
  /** Emits (and replays) once when no further call may leave. */
  readonly stop$: Observable<unknown>
}

/**
 * Emits once what is known by device name; who is not in it was not looked up, since there were too many or the
 * provider will not say. Completes without a value when stopped before it was through:
 * the answers so far are kept, and the next driver asks for the others only.
 */
export const createLookUpDevices = (
  deps: LookUpDevicesDeps,
): ((job: Job, deviceNames: readonly string[]) => Observable<ReadonlyMap<string, Fate>>) => {
  const { journal, calls, observe, random, maxDevices, stop$ } = deps

  const lookUp = (job: Job, deviceName: string, patience: Patience): Observable<LookUp> => {
    const off$ = merge(stop$, patience.lost$)
    let [tries, unanswered] = [0, 0]
    const mayAskAgain = ({ kind }: CallFailure): boolean => {
      if (kind === 'unanswered') unanswered += 1
      return passing.has(kind) && unanswered < maxUnanswered
    }
    // Completes without a value when called off.
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
      deviceNames.length === 0 || maxDevices === 0
        ? of(new Map<string, Fate>())
        : journal.keptLookUps(job.batchId).pipe(concatMap(kept => lookUpAll(job, deviceNames, kept))),
    )
}

const isFresh = ({ found, answeredAt }: LookUp): boolean =>
  found !== null && asyncScheduler.now() - answeredAt < freshForMs

/** Failures after which the same look-up may work. */
const passing: ReadonlySet<CallFailure['kind']> = new Set([
  'throttled',
  'not-sent',
  'unanswered',
  'account-refused',
])

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
