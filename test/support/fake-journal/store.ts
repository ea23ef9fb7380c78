import { asyncScheduler, defer, map, type Observable, of, Subject, timer } from 'rxjs'
import type { JobStatus, SearchPart } from '../../../src/domain/job'
import type { LookUp } from '../../../src/domain/look-up'
import { lookAlikeKey } from '../../../src/domain/reconcile'
import type { Rejection, SourcePosition } from '../../../src/domain/request'
import { RestoredDatabaseError } from '../../../src/domain/restored-database'
import { type HoldKind, type RouteFields, routeKey } from '../../../src/domain/route'
import { LeaseLostError } from '../../../src/ports/errors'
import type { ResultFile } from '../../../src/ports/journal'
import type { StoredPosition } from '../../../src/ports/request-source'

export interface LoggedMove {
  readonly acceptedOrder: bigint
  readonly deviceName: string
  readonly requestId: string
  readonly attempt: number
  readonly source: SourcePosition
  readonly requestedAt: Date
  readonly recordedAt: Date
  readonly traceparent: string | null
}

export interface StoredOutcome {
  readonly outcome: 'moved' | 'failed'
  readonly final: boolean
  readonly code: string
  readonly message: string | null
}

/** A route's log. The move at position n is `moves[n - 1]`. */
export interface RouteLog {
  readonly routeId: number
  readonly fields: RouteFields
  /** Equal for routes that the provider's List cannot tell apart. */
  readonly lookAlike: string
  readonly moves: LoggedMove[]
  readonly appendedAt: number[]
  readonly leftOut: Map<number, 'duplicate' | 'waiting'>
  readonly outcomes: Map<number, StoredOutcome>
  claimed: number
  accepted: number
  heldBecause: string | null
  /** Set while it is held. */
  heldKind: HoldKind | null
  /** When one batch of a refused route is tried again. */
  retryAt: number | null
}

export interface StoredJob {
  readonly batchId: number
  readonly route: RouteLog
  /** The positions of its range, without those that are left out. */
  readonly seqs: readonly number[]
  refusals: number
  readonly inheritedRefusals: number
  /** The batch that it was split from, over all splits; its own id if it was not split off. */
  readonly splitRoot: number
  readonly splitFrom: number | null
  search: SearchPart | null
  status: JobStatus
  endedAs: 'completed' | 'interrupted' | 'refused' | 'abandoned' | null
  providerJobId: string | null
  foundBy: 'list' | 'operator' | null
  notOurs: readonly string[]
  releases: number
  createStartedAt: number | null
  createdAt: number | null
  finishedAt: number | null
  settledAt: number | null
  /** Why it is held once looking up has left devices untold; null: it is not. */
  holdUntold: string | null
  calls: number
  heldBecause: string | null
  /** It waits unsent with its held route, and is released with it. */
  heldWithRoute: boolean
  lastError: string | null
  readonly resultFiles: ResultFile[]
  /** The latest answer about each device that was looked up. */
  lookUps: readonly LookUp[]
}

export interface Requeued extends LoggedMove {
  readonly route: RouteLog
  dueAt: number | null
  waitsFor: bigint | null
}

export interface ConsumedRow extends StoredPosition {
  readonly sourceId: number
  readonly lostRecords: bigint
}

export type OutboxRow =
  | {
      readonly id: bigint
      readonly count: number
      readonly job: StoredJob
      /** The positions that this part of the job settles. */
      readonly seqs: readonly number[]
      readonly at: Date
    }
  | {
      readonly id: bigint
      readonly count: number
      readonly rejections: readonly Rejection[]
      readonly at: Date
    }

const createTables = () => ({
  routes: new Map<string, RouteLog>(),
  /** By product and name: every place of a device in any log. */
  places: new Map<string, { readonly route: RouteLog; readonly seq: number }[]>(),
  jobs: [] as StoredJob[],
  unfinished: new Set<StoredJob>(),
  requeue: new Set<Requeued>(),
  consumed: new Map<string, ConsumedRow>(),
  /** Acceptances that have ended, for which moves are left that wait in the re-queue. */
  releaseDue: new Set<bigint>(),
  rejections: new Map<string, Rejection>(),
  outbox: [] as OutboxRow[],
  published: new Map<string, bigint>(),
  counters: {
    acceptances: 0n,
    lastOutboxId: 0n,
    repeatedRejections: 0,
    transactions: 0n,
    /** Restores that an operator has accepted. */
    restores: 0,
    stopped: null as string | null,
    /** The highest that a process which stopped the flows had seen. */
    epochSeen: 0n,
    outboxEndSeen: 0n,
  },
})

/** What the sides of the fake journal share. Every method runs at once, and its answer comes `latencyMs` later. */
export const createStore = (latencyMs: number, mostReleased = 20_000) => {
  const tables = createTables()
  const changed$ = new Subject<void>()
  const lease = { epoch: 1n }
  return {
    ...tables,
    /** Most waiting moves that one transaction releases. */
    mostReleased,
    changed$,
    lease,
    /** One transaction, of any side. */
    transaction: <T>(work: () => T): Observable<T> =>
      defer(() => {
        const result = work()
        tables.counters.transactions += 1n
        return latencyMs > 0 ? timer(latencyMs).pipe(map(() => result)) : of(result)
      }),
    /** It tells of changes asynchronously, as a notification of the database does. */
    notify: (): void => {
      asyncScheduler.schedule(() => changed$.next())
    },
    checkEpoch: (epoch: bigint): void => {
      if (epoch !== lease.epoch) throw new LeaseLostError(`epoch ${epoch} is over`)
      if (tables.counters.stopped !== null) throw new RestoredDatabaseError(tables.counters.stopped)
    },
    routeOf: (fields: RouteFields): RouteLog => {
      const key = routeKey(fields)
      const known = tables.routes.get(key)
      if (known !== undefined) return known
      const route: RouteLog = {
        routeId: tables.routes.size + 1,
        fields,
        lookAlike: lookAlikeKey(fields),
        moves: [],
        appendedAt: [],
        leftOut: new Map(),
        outcomes: new Map(),
        claimed: 0,
        accepted: 0,
        heldBecause: null,
        heldKind: null,
        retryAt: null,
      }
      tables.routes.set(key, route)
      return route
    },
    appendTo: (route: RouteLog, move: LoggedMove): void => {
      route.moves.push(move)
      route.appendedAt.push(asyncScheduler.now())
      const device = `${route.fields.productKey}/${move.deviceName}`
      const places = tables.places.get(device)
      const place = { route, seq: route.moves.length }
      if (places === undefined) tables.places.set(device, [place])
      else places.push(place)
    },
    moveAt: (route: RouteLog, seq: number): LoggedMove => {
      const move = route.moves[seq - 1]
      if (move === undefined) throw new Error(`route ${route.routeId} has no position ${seq}`)
      return move
    },
    job: (batchId: number): StoredJob => {
      const job = tables.jobs[batchId - 1]
      if (job === undefined) throw new Error(`there is no job ${batchId}`)
      return job
    },
  }
}

export type Store = ReturnType<typeof createStore>
