/** What becomes of a batch whose create was refused as a whole: certainly, none of it was sent. */
import { concat, ignoreElements, type Observable, of, tap } from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { deviceNamesOf, type Job } from '../domain/job'
import { decideOnRefusal, type RefusalKind, type RefusalPolicy } from '../domain/refusal'
import { concernsRoute } from '../domain/route-codes'
import { refusedVerdicts } from '../domain/settlement'
import type { Slot } from '../operators/slots'
import type { CallFailure, DriveJournal } from '../ports'
import type { AccountView } from './account-view'
import type { ProviderCalls } from './provider-calls'

/** The batch is not to be created again before so long. It needs no slot meanwhile. */
export interface PutOffJob {
  readonly kind: 'put-off'
  readonly job: Job
  readonly forMs: number
}

export interface RefuseBatchDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  readonly view: AccountView
  readonly observe: Observe
  readonly random: () => number
  readonly policy: RefusalPolicy
}

export interface RefuseBatch {
  /** Frees the slot. Costs no device an attempt unless the batch is refused for good. */
  refused(job: Job, slot: Slot, failure: CallFailure, kind: RefusalKind): Observable<PutOffJob>
  /** The batch was created after all. */
  forget(jobId: number): void
}

export const createRefuseBatch = (deps: RefuseBatchDeps): RefuseBatch => {
  const { journal, calls, view, observe, random, policy } = deps
  /** Creates in a row that came to nothing, by job: what their back-off grows with. */
  const delays = new Map<number, number>()

  /** Refused as a whole, certainly not created: costs no device an attempt unless it is refused for good. */
  const refused = (
    job: Job,
    slot: Slot,
    { code, message }: CallFailure,
    kind: RefusalKind,
  ): Observable<PutOffJob> => {
    const { jobId, moves } = job
    const inARow = (delays.get(jobId) ?? 0) + 1
    const decision = decideOnRefusal(
      {
        kind,
        concernsRoute: concernsRoute(code),
        refusals: job.refusals,
        familyRefusals: job.familyRefusals,
        inARow,
        devices: deviceNamesOf(job).length,
      },
      policy,
      random(),
    )
    observe({ kind: 'create-refused', jobId, code, next: decision.kind })
    const why = `${code}: ${message}`
    const then = (step: Observable<void>): Observable<never> =>
      step.pipe(
        tap(() => slot.release()),
        ignoreElements(),
      )
    switch (decision.kind) {
      case 'again':
        delays.set(jobId, inARow)
        if (kind === 'slots-full') view.outdate()
        return concat<[never, PutOffJob]>(
          then(journal.notCreated(jobId, why, decision.counted)),
          of({ kind: 'put-off', job, forMs: decision.afterMs }),
        )
      case 'stop-driving':
        calls.pauseCreates(decision.forMs)
        observe({ kind: 'account-refused', code, pauseMs: decision.forMs })
        return then(journal.notCreated(jobId, why, false))
      case 'split':
        return then(journal.split(jobId, why))
      case 'fail':
        return then(
          journal
            .settle(jobId, refusedVerdicts(moves, code, message), 'refused')
            .pipe(
              tap(() => observe({ kind: 'job-settled', jobId, moved: 0, failed: moves.length, retried: 0 })),
            ),
        )
    }
  }

  return { refused, forget: jobId => void delays.delete(jobId) }
}
