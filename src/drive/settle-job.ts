/** Settles an ended job: its result file is fetched and read, and the outcome of every device is stored, once. */
import {
  concat,
  concatMap,
  defer,
  EMPTY,
  filter,
  ignoreElements,
  map,
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
import type { Fate } from '../domain/look-up'
import type { Verdict } from '../domain/outcome'
import { type AttemptPolicy, deriveVerdicts } from '../domain/settlement'
import type { DriveJournal } from '../ports/journal'
import { createAskResults, type Results } from './ask-results'
import type { EndedJob } from './await-end'
import { createHoldJob } from './hold-job'
import { createLookUpDevices } from './look-up-devices'
import type { ProviderCalls } from './provider-calls'

export interface SettleJobDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  readonly observe: Observe
  readonly random: () => number
  readonly policy: AttemptPolicy
  /** At most this many devices of one job are looked up one by one. */
  readonly lookUpMaxDevices: number
  /** Emits (and replays) once when nothing is to be waited for. The next driver then asks anew. */
  readonly stop$: Observable<unknown>
}

interface Collected {
  readonly decision: Exclude<AskDecision, { readonly kind: 'again' }>
  readonly rows: ReadonlyMap<string, DeviceResult>
  /** Why the job would be held, for people. */
  readonly why: string
}

/**
 * Emits the batch id once the job is settled or held, or is found to be another's. Completes without a value when it is
 * stopped while it waits.
 */
export const createSettleJob = (deps: SettleJobDeps): ((ended: EndedJob) => Observable<number>) => {
  const { journal, calls, observe, random, lookUpMaxDevices, stop$ } = deps
  const hold = createHoldJob(deps)
  const lookUpDevices = createLookUpDevices({ ...deps, maxDevices: lookUpMaxDevices })
  /** What became of the devices that the file does not name. */
  const lookUp = (job: Job, open: readonly string[]): Observable<ReadonlyMap<string, Fate>> =>
    open.length === 0 ? of(new Map()) : lookUpDevices(job, open)

  const keep = ({ batchId }: Job, { file }: Results): Observable<never> =>
    file === null ? EMPTY : journal.keepResultFile(batchId, file).pipe(ignoreElements())

  /** Asks again until it is decided what to do, and adds up what the files say. */
  const collect = ({ job, as }: EndedJob, providerJobId: string): Observable<Collected> =>
    defer(() => {
      const names = deviceNamesOf(job)
      const ask = createAskResults(calls, journal, job, providerJobId)
      const answers: ResultsAnswer[] = []
      let rows: ReadonlyMap<string, DeviceResult> = new Map()
      let pauseMs = 1_000
      let told: string | null = null

      /** Stores the trouble for people, from the second try on: a file may take a moment to be written. */
      const tell = (trouble: string): Observable<never> => {
        if (answers.length < 2 || trouble === told) return EMPTY
        told = trouble
        return journal.setLastError(job.batchId, trouble).pipe(ignoreElements())
      }

      const weigh = ({ answer, rows: found, problem }: Results): Observable<Collected | null> => {
        answers.push(answer)
        rows = mergeRows(rows, found)
        const missing = names.filter(name => !rows.has(name)).length
        const reported = names.length - missing
        const decision = decideOnResults(
          { ended: as, answers, reported, missing, isFound: job.foundBy === 'list' },
          random(),
        )
        const trouble = answer === 'rows' && missing > 0 ? `${missing} devices have no row` : problem
        if (trouble !== '') observe({ kind: 'result-file-problem', batchId: job.batchId, problem: trouble })
        if (decision.kind !== 'again')
          return of({ decision, rows, why: `no results could be read: ${trouble}` })
        pauseMs = decision.afterMs
        return concat(tell(trouble), of(null))
      }

      return ask.pipe(
        concatMap(results =>
          concat(
            keep(job, results),
            defer(() => weigh(results)),
          ),
        ),
        repeat({ delay: () => timer(pauseMs).pipe(takeUntil(stop$)) }),
        filter(collected => collected !== null),
        take(1),
      )
    })

  const settle = (
    { job, as }: EndedJob,
    rows: ReadonlyMap<string, DeviceResult>,
    fates: ReadonlyMap<string, Fate>,
  ): Observable<number> =>
    defer(() => {
      const { verdicts } = deriveVerdicts({
        moves: job.moves,
        rows,
        fates,
        ended: as,
        policy: deps.policy,
        classify: classifyDeviceCode,
        random,
      })
      return journal.settle(job.batchId, verdicts, as).pipe(
        tap(() => observe({ kind: 'job-settled', batchId: job.batchId, ...counts(verdicts) })),
        map(() => job.batchId),
      )
    })

  /** The adopted job is another's. Reconciliation goes on without it. */
  const unadopt = ({ batchId, providerJobId }: Job): Observable<number> =>
    journal.unadopted(batchId).pipe(
      tap(() => observe({ kind: 'job-unadopted', batchId, providerJobId: providerJobId ?? '' })),
      map(() => batchId),
    )

  return ended => {
    const { job, why = 'it is not known which job it was' } = ended
    const collected: Observable<Collected> =
      job.providerJobId === null
        ? of({ decision: { kind: 'hold' }, rows: new Map<string, DeviceResult>(), why })
        : collect(ended, job.providerJobId)
    return collected.pipe(
      concatMap(({ decision, rows, why }) => {
        if (decision.kind === 'not-ours') return unadopt(job)
        const open = deviceNamesOf(job).filter(name => !rows.has(name))
        if (decision.kind === 'settle')
          return lookUp(job, open).pipe(concatMap(fates => settle(ended, rows, fates)))
        // Without a file the look-ups alone settle the job, if they answer for every device. Otherwise it is held.
        return open.length > lookUpMaxDevices
          ? hold(job, why)
          : lookUp(job, open).pipe(
              concatMap(fates =>
                open.every(isKnownIn(fates)) ? settle(ended, rows, fates) : hold(job, why),
              ),
            )
      }),
    )
  }
}

const isKnownIn = (fates: ReadonlyMap<string, Fate>) => (name: string) =>
  (fates.get(name) ?? 'cannot-tell') !== 'cannot-tell'

const counts = (verdicts: readonly Verdict[]) => {
  const moved = verdicts.filter(verdict => verdict.outcome === 'moved').length
  const retried = verdicts.filter(verdict => !verdict.final).length
  return { moved, retried, failed: verdicts.length - moved - retried }
}
