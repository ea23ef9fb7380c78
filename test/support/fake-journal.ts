import { merge, timer } from 'rxjs'
import { map, share } from 'rxjs/operators'
import type { Changes, DriveJournal, IntakeJournal, Outbox } from '../../src/ports/journal'
import { cancelRoute } from './fake-journal/cancel'
import type { ClaimOptions } from './fake-journal/claim'
import { type Conservation, recount } from './fake-journal/conservation'
import { createFakeDrive } from './fake-journal/drive'
import { createFakeIntake } from './fake-journal/intake'
import { createFakeOutbox } from './fake-journal/outbox'
import { resolveJob, resolveRunning } from './fake-journal/resolve'
import { releaseRoute } from './fake-journal/route-hold'
import { createStore, type RouteLog, type Store } from './fake-journal/store'

export interface FakeJournal {
  readonly intake: IntakeJournal
  /** `epoch` is 1 until `takeOver` is called. */
  drive(epoch?: bigint): DriveJournal
  readonly outbox: Outbox
  readonly changes: Changes
  /** Begins a new epoch and returns it. Journals of earlier epochs throw `LeaseLostError` from now on. */
  takeOver(): bigint
  holdRoute(routeId: number, why: string): void
  releaseRoute(routeId: number): void
  releaseJob(batchId: number): void
  cancelRoute(routeId: number): { readonly cancelled: number; readonly inFlight: number }
  /** What an operator decides about a job that is held or looked up; of the kinds there are, those that tests need. */
  resolveJob(batchId: number, resolution: { readonly kind: 'again' | 'resend' }): void
  /** Sends the devices of a running job again, or gives them up. */
  resolveRunning(batchId: number, as: 'absent' | 'fail'): void
  recount(): Conservation
  /** Every table, for tests that look into them. */
  readonly store: Store
}

export interface FakeJournalOptions extends ClaimOptions {
  /** How long each answer takes, ms. Default: 0, which means that answers come synchronously. */
  readonly latencyMs?: number
  /** Most waiting moves that one transaction releases. Default: 20,000. */
  readonly mostReleased?: number
}

/**
 * The journal in memory. It uses no promises and no clock but rxjs's, so it runs in virtual time. It decides by the same
 * pure rules as the PostgreSQL adapter, and passes the same contract suite.
 */
export const createFakeJournal = ({
  latencyMs = 0,
  mostReleased,
  ...options
}: FakeJournalOptions): FakeJournal => {
  const store = createStore(latencyMs, mostReleased)
  const routeBy = (routeId: number): RouteLog => {
    for (const route of store.routes.values()) if (route.routeId === routeId) return route
    throw new Error(`there is no route ${routeId}`)
  }
  return {
    store,
    intake: createFakeIntake(store),
    drive: (epoch = 1n) => createFakeDrive(store, epoch, options),
    outbox: createFakeOutbox(store),
    changes: merge(store.changed$, timer(5_000, 5_000)).pipe(
      map(() => undefined),
      share(),
    ),
    takeOver: () => {
      store.lease.epoch += 1n
      return store.lease.epoch
    },
    holdRoute: (routeId, why) => {
      Object.assign(routeBy(routeId), { heldBecause: why, heldKind: 'operator', retryAt: null })
      store.notify()
    },
    releaseRoute: routeId => releaseRoute(store, routeBy(routeId)),
    cancelRoute: routeId => cancelRoute(store, routeBy(routeId)),
    releaseJob: batchId => {
      const job = store.job(batchId)
      job.heldBecause = null
      job.releases += 1
      store.notify()
    },
    resolveJob: (batchId, { kind }) => resolveJob(store, batchId, kind),
    resolveRunning: (batchId, as) => resolveRunning(store, batchId, as),
    recount: () => recount(store),
  }
}
