/** What a job's end means: its result file is fetched and read, and every device's outcome stored, once. */
import {
  concat,
  concatMap,
  defer,
  EMPTY,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  of,
  tap,
  timer,
} from 'rxjs'
import { classifyDeviceCode } from '../domain/device-codes'
import type { Observe } from '../domain/flow-event'
import { deviceNamesOf, type Job } from '../domain/job'
import type { Verdict } from '../domain/outcome'
import { type AttemptPolicy, deriveVerdicts } from '../domain/settlement'
import { type DriveJournal, type FetchedResults, type ResultRow, TransientError } from '../ports'
import { type ProviderCalls, transientThrown } from './provider-calls'
import type { EndedJob } from './run-job'

/** A fresh file is asked for so long after one that lacked devices or could not be read. */
const askAgainMs = 5_000

export interface SettleJobDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  readonly observe: Observe
  readonly random: () => number
  readonly policy: AttemptPolicy
  /** Repeats what failed with `TransientError`, after a pause. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
}

type Results =
  | Extract<FetchedResults, { kind: 'rows' | 'unreadable' }>
  /** The provider has none, and says so. */
  | { readonly kind: 'none'; readonly message: string }

/** Emits the job's own number once it is settled or held. */
export const createSettleJob = (deps: SettleJobDeps): ((ended: EndedJob) => Observable<number>) => {
  const { journal, calls, observe, again } = deps

  const ask = (job: Job, providerJobId: string): Observable<Results> =>
    defer(() => calls.detail(providerJobId)).pipe(
      concatMap(result => journal.spent(job.jobId, 1).pipe(map(() => result))),
      concatMap(transientThrown),
      tap(result => {
        // Credentials, permission, bill: says nothing of the file, so it is waited out.
        if (!result.ok && result.kind === 'account-refused') throw new TransientError(result.code)
      }),
      concatMap(
        (result): Observable<FetchedResults | Results> =>
          result.ok
            ? calls.fetchResults(result.value.url, deviceNamesOf(job))
            : of({ kind: 'none', message: `${result.code}: ${result.message}` }),
      ),
      map((results): Results => {
        // Detail gives a new URL each time, so both are cured by asking again.
        if (results.kind === 'expired') throw new TransientError('the URL of the result file has expired')
        if (results.kind === 'unreachable') throw new TransientError(results.message)
        return results
      }),
      again(),
    )

  /** How many of the job's devices the results say nothing of. */
  const missing = (job: Job, results: Results): number =>
    results.kind === 'rows'
      ? deviceNamesOf(job).filter(name => !results.rows.has(name)).length
      : job.moves.length

  /** Once more for a fresh file where the first one leaves something open. */
  const askTwice = ({ job, as }: EndedJob, providerJobId: string): Observable<Results> =>
    ask(job, providerJobId).pipe(
      concatMap(first => {
        const open = missing(job, first)
        if (open === 0 || (as === 'interrupted' && first.kind !== 'unreadable')) return of(first)
        const problem = first.kind === 'rows' ? `${open} devices have no row` : first.message
        observe({ kind: 'result-file-problem', jobId: job.jobId, problem })
        return timer(askAgainMs).pipe(concatMap(() => ask(job, providerJobId)))
      }),
    )

  const settle = ({ job, as }: EndedJob, rows: ReadonlyMap<string, ResultRow>): Observable<number> =>
    defer(() => {
      const { verdicts } = deriveVerdicts({
        moves: job.moves,
        rows,
        fates: new Map(),
        ended: as,
        policy: deps.policy,
        classify: classifyDeviceCode,
        random: deps.random,
      })
      return journal.settle(job.jobId, verdicts, as).pipe(
        tap(() => observe({ kind: 'job-settled', jobId: job.jobId, ...counts(verdicts) })),
        map(() => job.jobId),
      )
    })

  const hold = (job: Job, why: string): Observable<number> =>
    journal.hold(job.jobId, why).pipe(
      tap(() => observe({ kind: 'job-held', jobId: job.jobId, why })),
      map(() => job.jobId),
    )

  return ended => {
    const { job, as } = ended
    if (job.providerJobId === null) throw new Error(`job ${job.jobId} has ended without a JobId`)
    return askTwice(ended, job.providerJobId).pipe(
      concatMap(results => {
        const file = results.kind === 'none' ? null : results.file
        const kept = file === null ? EMPTY : journal.keepResultFile(job.jobId, file).pipe(ignoreElements())
        const none = new Map<string, ResultRow>()
        switch (results.kind) {
          case 'rows':
            return concat(kept, settle(ended, results.rows))
          case 'none':
            // An interrupted job need not have a file: the provider's advice is to start its devices again.
            return as === 'interrupted'
              ? settle(ended, none)
              : hold(job, `no result file: ${results.message}`)
          case 'unreadable':
            return concat(kept, hold(job, `the result file cannot be read: ${results.message}`))
        }
      }),
    )
  }
}

const counts = (verdicts: readonly Verdict[]) => {
  const moved = verdicts.filter(verdict => verdict.outcome === 'moved').length
  const retried = verdicts.filter(verdict => !verdict.final).length
  return { moved, retried, failed: verdicts.length - moved - retried }
}
