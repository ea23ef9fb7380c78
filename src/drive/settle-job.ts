/**
 * Settles an ended job: its result file is fetched and read, and what it tells is stored, each device once. The devices
 * that it does not tell of are left to the line of look-ups.
 */
import {
  concat,
  concatMap,
  defer,
  EMPTY,
  ignoreElements,
  type Observable,
  of,
  repeat,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import {
  type AskDecision,
  classifyDeviceCode,
  type DeviceResult,
  decideOnResults,
  mergeRows,
  type ResultsAnswer,
} from '../domain/device-results'
import type { Observe } from '../domain/flow-event'
import { deviceNamesOf, type Job } from '../domain/job'
import { type AttemptPolicy, countsOf, deriveVerdicts } from '../domain/settlement'
import type { DriveJournal } from '../ports/journal'
import { createAskResults, type KeptLink, type Results } from './ask-results'
import type { EndedJob } from './await-end'
import { createHoldJob } from './hold-job'
import type { ProviderCalls } from './provider-calls'

export interface SettleJobDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  readonly observe: Observe
  readonly random: () => number
  readonly policy: AttemptPolicy
  /** At most this many devices of one job are looked up one by one; 0: there is no bound. */
  readonly lookUpMaxDevices: number
  /** Called when a job has come into the line of look-ups. */
  readonly onUntold: () => void
  /** Emits (and replays) once when nothing is to be waited for. The next driver then asks anew. */
  readonly stop$: Observable<unknown>
}

/** The results of the job cannot be had now. It is to be loaded again after `forMs`, and is not in memory until then. */
export interface ResultsLater {
  readonly kind: 'results-later'
  readonly batchId: number
  readonly as: EndedJob['as']
  readonly forMs: number
}

interface Collected {
  readonly kind: Exclude<AskDecision['kind'], 'again'>
  readonly rows: ReadonlyMap<string, DeviceResult>
  /** Why the job would be held, for people. */
  readonly why: string
}

/** What is remembered of the tries to get the results of one job. It is small, whatever the job's size. */
interface Tries extends KeptLink {
  readonly answers: ResultsAnswer[]
  /** The trouble that was stored last. */
  told: string | null
}

/** A job whose next try is this far away is let go from memory, ms, unless a file has told of some devices. */
const letGoFromMs = 5_000
/** Jobs that are let go are loaded again at most this often together, ms, however many they are. */
const loadEveryMs = 1_000

/**
 * Completes once the job is settled, left to the line of look-ups, held, or found to be another's, and when it is stopped
 * while it waits. Emits a value only if the results cannot be had now.
 */
export const createSettleJob = (deps: SettleJobDeps): ((ended: EndedJob) => Observable<ResultsLater>) => {
  const { journal, calls, observe, random, lookUpMaxDevices, onUntold, stop$ } = deps
  const hold = createHoldJob(deps)
  const triesOf = new Map<number, Tries>()

  const keep = ({ batchId }: Job, { file }: Results): Observable<never> =>
    file === null ? EMPTY : journal.keepResultFile(batchId, file).pipe(ignoreElements())

  /** Asks again until it is decided what to do, and adds up what the files say. */
  const collect = ({ job, as }: EndedJob, providerJobId: string): Observable<Collected | ResultsLater> =>
    defer(() => {
      const { batchId } = job
      const names = deviceNamesOf(job)
      const tries: Tries = triesOf.get(batchId) ?? { answers: [], told: null, link: null }
      triesOf.set(batchId, tries)
      const ask = createAskResults(calls, journal, job, providerJobId, tries)
      let rows: ReadonlyMap<string, DeviceResult> = new Map()
      let pauseMs = 0

      /** Stores the trouble for people, from the second try on: a file may take a moment to be written. */
      const tell = (trouble: string): Observable<never> => {
        if (tries.answers.length < 2 || trouble === tries.told) return EMPTY
        tries.told = trouble
        return journal.setLastError(batchId, trouble).pipe(ignoreElements())
      }

      const weigh = ({ answer, rows: found, problem }: Results): Observable<Collected | ResultsLater> => {
        const { answers } = tries
        answers.push(answer)
        rows = mergeRows(rows, found)
        const missing = names.filter(name => !rows.has(name)).length
        const reported = names.length - missing
        const decision = decideOnResults(
          { ended: as, answers, reported, missing, isFound: job.foundBy === 'list' },
          random(),
        )
        const trouble = answer === 'rows' && missing > 0 ? `${missing} devices have no row` : problem
        if (trouble !== '') observe({ kind: 'result-file-problem', batchId, problem: trouble })
        if (decision.kind !== 'again') {
          triesOf.delete(batchId)
          return of({ kind: decision.kind, rows, why: `no results could be read: ${trouble}` })
        }
        pauseMs = decision.afterMs
        if (reported > 0 || pauseMs < letGoFromMs) return tell(trouble)
        const forMs = Math.max(pauseMs, triesOf.size * loadEveryMs)
        return concat(tell(trouble), of({ kind: 'results-later', batchId, as, forMs } as const))
      }

      return ask.pipe(
        concatMap(results =>
          concat(
            keep(job, results),
            defer(() => weigh(results)),
          ),
        ),
        repeat({ delay: () => timer(pauseMs).pipe(takeUntil(stop$)) }),
        take(1),
      )
    })

  /** Stores what the rows tell. The devices `left` wait to be looked up, and `holdUntold` is why they may be held then. */
  const settle = (
    { job, as }: EndedJob,
    rows: ReadonlyMap<string, DeviceResult>,
    left: ReadonlySet<string>,
    holdUntold: string | null,
  ): Observable<never> =>
    defer(() => {
      const { batchId, moves } = job
      const { verdicts } = deriveVerdicts({
        moves: moves.filter(({ deviceName }) => !left.has(deviceName)),
        rows,
        fates: new Map(),
        ended: as,
        policy: deps.policy,
        classify: classifyDeviceCode,
        random,
      })
      const open = moves.length - verdicts.length
      return journal.settle(batchId, verdicts, as, open === 0 ? undefined : { holdUntold }).pipe(
        tap(() => {
          if (open === 0) return observe({ kind: 'job-settled', batchId, ...countsOf(verdicts) })
          observe({ kind: 'part-settled', batchId, open, ...countsOf(verdicts) })
          onUntold()
        }),
        ignoreElements(),
      )
    })

  /** The adopted job is another's. Reconciliation goes on without it. */
  const unadopt = ({ batchId, providerJobId }: Job): Observable<never> =>
    journal.unadopted(batchId).pipe(
      tap(() => observe({ kind: 'job-unadopted', batchId, providerJobId: providerJobId ?? '' })),
      ignoreElements(),
    )

  const conclude = (ended: EndedJob, { kind, rows, why }: Collected): Observable<never> => {
    const { job } = ended
    if (kind === 'not-ours') return unadopt(job)
    const untold = deviceNamesOf(job).filter(name => !rows.has(name))
    const isBeyond = lookUpMaxDevices > 0 && untold.length > lookUpMaxDevices
    if (kind === 'settle')
      return settle(ended, rows, new Set(isBeyond ? untold.slice(0, lookUpMaxDevices) : untold), null)
    // Without a file looking the devices up decides alone, so it has to be possible for all of them.
    return isBeyond ? hold(job, why).pipe(ignoreElements()) : settle(ended, rows, new Set(untold), why)
  }

  return ended => {
    const { job, why = 'it is not known which job it was' } = ended
    const collected: Observable<Collected | ResultsLater> =
      job.providerJobId === null
        ? of({ kind: 'hold', rows: new Map<string, DeviceResult>(), why })
        : collect(ended, job.providerJobId)
    return collected.pipe(
      concatMap(result => (result.kind === 'results-later' ? of(result) : conclude(ended, result))),
    )
  }
}
