/** What becomes of a batch whose create was refused as a whole, so that certainly none of its devices was sent. */
import { concat, concatMap, ignoreElements, type Observable, of, tap } from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { deviceNamesOf, type Job } from '../domain/job'
import { concernsRoute, decideOnRefusal, type RefusalKind, type RefusalPolicy } from '../domain/refusal'
import { newSearch } from '../domain/search'
import { refusedVerdicts } from '../domain/settlement'
import type { Slot, SlotSemaphore } from '../operators/semaphore'
import type { CallFailure } from '../ports/job-api'
import type { DriveJournal } from '../ports/journal'
import type { AccountView } from './account-view'
import { createHoldJob } from './hold-job'

/** The batch is created again no earlier than after `forMs`. It needs no slot until then. */
export interface PutOffJob {
  readonly kind: 'put-off'
  readonly batchId: number
  readonly forMs: number
}

export interface RefuseBatchDeps {
  readonly journal: DriveJournal
  readonly slots: SlotSemaphore
  readonly view: AccountView
  readonly observe: Observe
  readonly random: () => number
  readonly policy: RefusalPolicy
}

export interface RefuseBatch {
  /** Frees the slot. Only a single device that is the reason itself loses an attempt, and fails. */
  refused(job: Job, slot: Slot, failure: CallFailure, kind: RefusalKind): Observable<PutOffJob>
  /** A create of the batch was answered with a job. */
  created(batchId: number): void
}

interface Refusals {
  /** Refused creates in a row. The pause grows with them. */
  readonly inARow: number
  /** How many batches this process had created when this one was first refused. */
  readonly createdBefore: number
}

export const createRefuseBatch = (deps: RefuseBatchDeps): RefuseBatch => {
  const { journal, slots, view, observe, random, policy } = deps
  const hold = createHoldJob(deps)
  const refusals = new Map<number, Refusals>()
  let createdSoFar = 0

  const refused = (
    job: Job,
    slot: Slot,
    { code, message }: CallFailure,
    kind: RefusalKind,
  ): Observable<PutOffJob> => {
    const { batchId, routeId, moves } = job
    const devices = deviceNamesOf(job).length
    const before = refusals.get(batchId)
    const inARow = (before?.inARow ?? 0) + 1
    const createdBefore = before?.createdBefore ?? createdSoFar
    refusals.set(batchId, { inARow, createdBefore })
    const decision = decideOnRefusal(
      {
        kind,
        concernsRoute: concernsRoute(code),
        refusals: job.refusals,
        splitRootRefusals: job.splitRootRefusals,
        inARow,
        search: job.search ?? newSearch(devices),
        devices,
        othersCreated: createdSoFar > createdBefore,
        // This create's own slot is one of them.
        aloneInAccount: slots.ownOpen() + slots.foreignOpen() <= 1,
      },
      policy,
      random,
    )
    observe({
      kind: 'create-refused',
      batchId,
      code,
      next: decision.kind,
      isSearch: job.search !== null,
    })
    const why = `${code}: ${message}`
    const then = (step: Observable<unknown>): Observable<never> =>
      step.pipe(
        tap(() => slot.release()),
        ignoreElements(),
      )
    switch (decision.kind) {
      case 'again':
        if (kind === 'slots-full') view.outdate()
        return concat<[never, PutOffJob]>(
          then(journal.notCreated(batchId, why, decision.counted)),
          of({ kind: 'put-off', batchId, forMs: decision.afterMs }),
        )
      case 'wait-for-account':
        return then(journal.notCreated(batchId, why, false))
      case 'split':
        refusals.delete(batchId)
        return then(journal.split(batchId, why))
      case 'hold': {
        refusals.delete(batchId)
        const reason = `refused again and again: ${why}`
        return then(journal.notCreated(batchId, why, true).pipe(concatMap(() => hold(job, reason))))
      }
      case 'halve':
      case 'draw':
      case 'set-aside':
        refusals.delete(batchId)
        return then(journal.search(batchId, decision, why))
      case 'hold-search': {
        refusals.delete(batchId)
        const reason = `single devices of it, drawn at random, were refused like the whole: ${why}`
        return then(
          journal
            .search(batchId, decision, reason)
            .pipe(tap(held => observe({ kind: 'job-held', batchId: held, why: reason }))),
        )
      }
      case 'hold-route':
        refusals.delete(batchId)
        return then(
          journal.holdRoute(batchId, why).pipe(tap(() => observe({ kind: 'route-held', routeId, why }))),
        )
      case 'fail':
        refusals.delete(batchId)
        return then(
          journal
            .settle(batchId, refusedVerdicts(moves, code, message), 'refused')
            .pipe(
              tap(() =>
                observe({ kind: 'job-settled', batchId, moved: 0, failed: moves.length, retried: 0 }),
              ),
            ),
        )
    }
  }

  return {
    refused,
    created: batchId => {
      createdSoFar += 1
      refusals.delete(batchId)
    },
  }
}
