/** What the journal in memory hands out: an unfinished batch that nobody has in hand, or the next batch of a route. */
import { asyncScheduler } from 'rxjs'
import {
  applyClaimRules,
  type CandidateRoute,
  createRouteChooser,
  type OtherMove,
  type OtherState,
  chooseRoute as routeAmong,
} from '../../../src/domain/claim-rules'
import { afterSuccess, afterTimeLimit, type ClaimSize, withoutResting } from '../../../src/domain/claim-size'
import type { Job, Search, SearchPart } from '../../../src/domain/job'
import { TransientError } from '../../../src/ports/errors'
import type { Claim } from '../../../src/ports/journal'
import { releaseLeft, releaseWaiting } from './release-waiting'
import type { LoggedMove, Requeued, RouteLog, Store, StoredJob } from './store'
import { isBeforeAnswer, isDue, nextPiece, noteTry, unfinishedJob } from './unfinished-batch'

export interface ClaimOptions {
  readonly batchMaxDevices: number
  readonly batchMaxWaitMs: number
  /** A claim of more moves of this route runs into a time limit; null: none does. */
  readonly claimLimit?: (routeId: number) => number | null
}

/** A claim gives up after this many ranges that had nothing to send. */
const maxEmptyRounds = 32
/** Re-queued moves that one claim appends at most. */
const maxAppended = 20_000

const refusalsOfSplitRoot = (store: Store, splitRoot: number): number =>
  store.jobs
    .filter(job => job.splitRoot === splitRoot)
    .reduce((sum, { refusals, inheritedRefusals }) => sum + refusals - inheritedRefusals, 0)

const searchAsStored = (store: Store, splitRoot: number): Omit<Search, 'part'> => {
  const family = store.jobs.filter(job => job.splitRoot === splitRoot)
  const isUnsent = ({ status }: StoredJob): boolean => ['claimed', 'creating', 'unknown'].includes(status)
  const root = store.job(splitRoot)
  return {
    devices: new Set(root.seqs.map(seq => store.moveAt(root.route, seq).deviceName)).size,
    refusals: family.filter(job => job.status === 'refused').length,
    hasAccepted: family.some(job => job.providerJobId !== null && job.foundBy === null),
    drawnLeft: family.filter(job => job.search === 'drawn' && isUnsent(job)).length,
  }
}

export const jobAsStored = (store: Store, job: StoredJob): Job => ({
  batchId: job.batchId,
  routeId: job.route.routeId,
  route: job.route.fields,
  status: job.status,
  providerJobId: job.providerJobId,
  foundBy: job.foundBy,
  notOurs: job.notOurs,
  releases: job.releases,
  createStartedAt: job.createStartedAt,
  lastError: job.lastError,
  refusals: job.refusals,
  splitRootRefusals: job.splitRoot === job.batchId ? job.refusals : refusalsOfSplitRoot(store, job.splitRoot),
  search: job.search === null ? null : { part: job.search, ...searchAsStored(store, job.splitRoot) },
  moves: job.seqs.map(seq => {
    const { deviceName, attempt } = store.moveAt(job.route, seq)
    return { seq: BigInt(seq), deviceName, attempt }
  }),
})

/** `parent` is the job that it is split from. */
export const insertJob = (
  store: Store,
  route: RouteLog,
  seqs: readonly number[],
  parent: StoredJob | null = null,
  search: SearchPart | null = null,
): StoredJob => {
  const batchId = store.jobs.length + 1
  const job: StoredJob = {
    batchId,
    route,
    seqs,
    refusals: parent?.refusals ?? 0,
    inheritedRefusals: parent?.refusals ?? 0,
    splitRoot: parent?.splitRoot ?? batchId,
    splitFrom: parent?.batchId ?? null,
    search,
    status: 'claimed',
    endedAs: null,
    providerJobId: null,
    foundBy: null,
    notOurs: [],
    releases: 0,
    createStartedAt: null,
    createdAt: null,
    finishedAt: null,
    settledAt: null,
    holdUntold: null,
    calls: 0,
    heldBecause: null,
    heldWithRoute: false,
    lastError: null,
    resultFiles: [],
    lookUps: [],
  }
  store.jobs.push(job)
  store.unfinished.add(job)
  return job
}

const appendDue = (store: Store): void => {
  const now = asyncScheduler.now()
  const dueAt = (requeued: Requeued): number => requeued.dueAt ?? Number.POSITIVE_INFINITY
  const due = [...store.requeue]
    .filter(requeued => dueAt(requeued) <= now)
    .sort((a, b) => dueAt(a) - dueAt(b))
  for (const requeued of due.slice(0, maxAppended)) {
    const { route, dueAt: _dueAt, waitsFor: _waitsFor, ...move } = requeued
    store.appendTo(route, move)
    store.requeue.delete(requeued)
  }
}

const stateOf = (route: RouteLog, seq: number): OtherState | null => {
  const reason = route.leftOut.get(seq)
  if (reason !== undefined) return reason === 'duplicate' ? 'duplicate' : null
  const outcome = route.outcomes.get(seq)
  if (outcome !== undefined) return outcome.final ? 'finished' : null
  return seq <= route.claimed ? 'in-flight' : 'unfinished'
}

const othersOf = (store: Store, route: RouteLog, range: readonly LoggedMove[], to: number): OtherMove[] => {
  const others: OtherMove[] = []
  const names = new Set(range.map(move => move.deviceName))
  const isOfRange = (at: RouteLog, seq: number): boolean => at === route && seq > route.claimed && seq <= to
  for (const name of names)
    for (const place of store.places.get(`${route.fields.productKey}/${name}`) ?? []) {
      const state = isOfRange(place.route, place.seq) ? null : stateOf(place.route, place.seq)
      if (state !== null) others.push({ ...store.moveAt(place.route, place.seq), state, waitsFor: null })
    }
  for (const requeued of store.requeue)
    if (requeued.route.fields.productKey === route.fields.productKey && names.has(requeued.deviceName))
      others.push({
        ...requeued,
        state: 'unfinished',
        waitsFor: requeued.route === route ? requeued.waitsFor : null,
      })
  return others
}

/**
 * Binds the next range of a route to a job under the claim rules; null if nothing of the range is to be sent. With
 * `toCancel` no move waits.
 */
export const claimRange = (
  store: Store,
  route: RouteLog,
  maxDevices: number,
  toCancel = false,
): StoredJob | null => {
  const from = route.claimed + 1
  const to = Math.min(route.moves.length, route.claimed + maxDevices)
  const range = route.moves.slice(from - 1, to)
  const decisions = applyClaimRules(range, othersOf(store, route, range, to))
  const seqs: number[] = []
  const duplicates = new Set<bigint>()
  range.forEach((move, index) => {
    const decision = decisions[index]
    const seq = from + index
    if (decision?.kind === 'duplicate') {
      route.leftOut.set(seq, 'duplicate')
      duplicates.add(move.acceptedOrder)
    } else if (decision?.kind === 'wait' && !toCancel) {
      route.leftOut.set(seq, 'waiting')
      store.requeue.add({ ...move, route, dueAt: null, waitsFor: decision.waitsFor })
    } else seqs.push(seq)
  })
  route.claimed = to
  releaseWaiting(store, duplicates)
  return seqs.length > 0 ? insertJob(store, route, seqs) : null
}

interface Candidate extends CandidateRoute {
  readonly route: RouteLog
  /** The creates of look-alikes that are under way: for a moment each, or for an unknown time. null: none are. */
  readonly waitsBriefly: boolean | null
}

const isFree = ({ waitsBriefly }: Candidate): boolean => waitsBriefly === null
const isFreeSoon = ({ waitsBriefly }: Candidate): boolean => waitsBriefly !== false

const candidates = (store: Store, inHand: readonly number[]): Candidate[] => {
  const unanswered = new Map<string, boolean>()
  for (const job of store.unfinished) {
    if (!isBeforeAnswer(job, inHand)) continue
    const { lookAlike } = job.route
    const isBrief =
      job.heldBecause === null &&
      (job.status === 'creating' || (job.status === 'claimed' && job.refusals === job.inheritedRefusals))
    unanswered.set(lookAlike, isBrief && (unanswered.get(lookAlike) ?? true))
  }
  return [...store.routes.values()]
    .filter(route => route.moves.length > route.claimed && (route.heldBecause === null || isDue(route)))
    .map(route => ({
      route,
      routeId: route.routeId,
      priority: route.fields.priority,
      pending: route.moves.length - route.claimed,
      oldestAt: route.appendedAt[route.claimed] ?? 0,
      newestAt: route.appendedAt.at(-1) ?? 0,
      waitsBriefly: unanswered.get(route.lookAlike) ?? null,
    }))
}

const soonest = (waits: readonly (number | null)[]): number | null => {
  const known = waits.filter(wait => wait !== null)
  return known.length > 0
    ? Math.max(
        0,
        known.reduce((a, b) => Math.min(a, b)),
      )
    : null
}

/** The claims of one driver. */
export const createClaims = (store: Store, options: ClaimOptions) => {
  const { batchMaxDevices } = options
  const smaller = new Map<number, ClaimSize>()
  const chooseRoute = createRouteChooser()

  /** The next range of a route, unless it runs into a time limit. */
  const claimRoute = (route: RouteLog, pending: number): StoredJob | null => {
    const before = smaller.get(route.routeId)
    const moves = Math.min(pending, before?.most ?? batchMaxDevices)
    if (moves > (options.claimLimit?.(route.routeId) ?? moves)) {
      const size = afterTimeLimit(moves, 0, asyncScheduler.now())
      smaller.set(route.routeId, size)
      throw new TransientError(`claiming ${moves} moves of route ${route.routeId} took too long`)
    }
    const job = claimRange(store, route, Math.min(moves, batchMaxDevices))
    const after = before === undefined ? null : afterSuccess(before, moves, 0, batchMaxDevices)
    if (after === null) smaller.delete(route.routeId)
    else smaller.set(route.routeId, after)
    return job
  }

  const idle = (readyInMs: readonly (number | null)[]): Claim => {
    const now = asyncScheduler.now()
    const dues = [...store.requeue].map(({ dueAt }) => (dueAt === null ? null : dueAt - now))
    const tries = [...store.routes.values()].map(({ retryAt }) =>
      retryAt === null || retryAt <= now ? null : retryAt - now,
    )
    const left = store.releaseDue.size > 0 ? 0 : null
    return { kind: 'idle', wakeInMs: soonest([...readyInMs, left, ...dues, ...tries]) }
  }

  const claimFresh = (inHand: readonly number[]): Claim => {
    for (let round = 0; round < maxEmptyRounds; round += 1) {
      appendDue(store)
      const nowMs = asyncScheduler.now()
      const { awake, nextInMs } = withoutResting(candidates(store, inHand), smaller, nowMs)
      const readiness = { ...options, nowMs }
      const choice = chooseRoute(awake.filter(isFree), readiness)
      if (choice.kind === 'none') {
        const isOtherReady = routeAmong(awake.filter(isFreeSoon), readiness, 0).kind === 'ready'
        const piece = isOtherReady ? null : nextPiece(store, inHand)
        return piece === null
          ? idle([choice.readyInMs, nextInMs])
          : { kind: 'job', job: jobAsStored(store, piece) }
      }
      const { route } = choice.route
      if (route.heldBecause !== null) noteTry(route, null)
      const job = claimRoute(route, choice.route.pending)
      if (job !== null) return { kind: 'job', job: jobAsStored(store, job) }
    }
    return { kind: 'idle', wakeInMs: 0 }
  }

  return (inHand: readonly number[], mayTakePiece: boolean): Claim => {
    const first = unfinishedJob(store, inHand) ?? (mayTakePiece ? nextPiece(store, inHand) : null)
    if (first !== null) return { kind: 'job', job: jobAsStored(store, first) }
    releaseLeft(store)
    return claimFresh(inHand)
  }
}
