/** Claims the next batch: an unfinished one that nobody has in hand, or the next range of the best ready route. */
import type { PoolClient } from 'pg'
import { asyncScheduler } from 'rxjs'
import { type CandidateRoute, createRouteChooser, chooseRoute as routeAmong } from '../../domain/claim-rules'
import { restsForMs, withoutResting } from '../../domain/claim-size'
import type { Job } from '../../domain/job'
import type { Claim } from '../../ports/journal'
import { loadJob } from '../job/job-row'
import { noteTry } from '../job/route-hold'
import { lockClaims } from '../session/transaction'
import { type AfterRestore, afterRestore, notRestored } from './after-restore'
import { claimRange } from './claim-range'
import { dueMoves, failedStep, releasedMoves, type SmallerClaims, succeededStep } from './smaller-claims'
import {
  appendDue,
  creating,
  lookAlike,
  mostAppended,
  mostReleased,
  nextDueInMs,
  nextPiece,
  releaseLeft,
  releasesAreLeft,
  unfinishedJob,
} from './unfinished-work'

interface Candidate extends CandidateRoute {
  readonly claimed: bigint
  readonly nowMs: number
  /** It is held as refused, and is to be tried now. */
  readonly isTry: boolean
  /** A look-alike is being created: for a moment, or for an unknown time. null: none is. */
  readonly waitsBriefly: boolean | null
}

const isFree = ({ waitsBriefly }: Candidate): boolean => waitsBriefly === null
const isFreeSoon = ({ waitsBriefly }: Candidate): boolean => waitsBriefly !== false

// The lateral limits keep the planner from joining the whole log: it makes two look-ups a route, however many there are.
const selectCandidates = `
  with ${creating}
  select r.route_id as "routeId", r.priority, k.claimed, least(i.appended - k.claimed, 2147483647)::integer as pending,
         (extract(epoch from oldest.appended_at) * 1000)::float8 as "oldestAt",
         (extract(epoch from newest.appended_at) * 1000)::float8 as "newestAt",
         (extract(epoch from statement_timestamp()) * 1000)::float8 as "nowMs", r.held_at is not null as "isTry",
         (select bool_and(b.is_brief) from creating b where ${lookAlike('b', 'r')}) as "waitsBriefly"
  from route r
  join route_intake i using (route_id)
  join route_claims k using (route_id)
  cross join lateral (
    select m.appended_at from move m where m.route_id = r.route_id and m.seq = k.claimed + 1 limit 1
  ) oldest
  cross join lateral (
    select m.appended_at from move m where m.route_id = r.route_id and m.seq = i.appended limit 1
  ) newest
  where i.appended > k.claimed
    and (r.held_at is null or r.held_kind = 'refused' and r.retry_at <= statement_timestamp())`

/** Routes with moves to claim that are not held, or are to be tried. Some wait for the create of a look-alike. */
const candidateRoutes = async (
  client: PoolClient,
  inHand: readonly number[],
): Promise<readonly Candidate[]> => (await client.query<Candidate>(selectCandidates, [inHand])).rows

export interface ClaimOptions {
  /** Most moves of a batch. */
  readonly batchMaxDevices: number
  /** How long the oldest move of a route waits for a fuller batch. */
  readonly batchMaxWaitMs: number
  /** Attempts of a move at most, the first included. Default: 5. */
  readonly maxAttempts?: number
}

/** After this many ranges in a row that had nothing to send the transaction ends, so that it stays short. */
const maxEmptyRanges = 32

/** Time until a refused route is to be tried next, ms; null: none will be. */
const nextTryInMs = async (client: PoolClient): Promise<number | null> => {
  const { rows } = await client.query<{ ms: number | null }>(
    `select (extract(epoch from min(retry_at) - statement_timestamp()) * 1000)::float8 as ms
     from route where retry_at > statement_timestamp()`,
  )
  return rows[0]?.ms ?? null
}

const soonest = (waits: readonly (number | null)[]): number | null => {
  const known = waits.filter(wait => wait !== null)
  return known.length > 0 ? Math.max(0, Math.ceil(Math.min(...known))) : null
}

interface Unusual {
  /** Moves that waited for one that has ended are still to be released. */
  readonly releasesAreLeft: boolean
  /** A restored database was accepted, and may have forgotten jobs. */
  readonly isRestored: boolean
}

const selectUnusual = `
  select exists (select from release_due) as "releasesAreLeft",
         exists (select from accepted_restore where jobs_listed_at is null) or exists (select from forgotten_job where status = 'open')
         or exists (select from forgotten_result) as "isRestored"`

const readUnusual = async (client: PoolClient): Promise<Unusual> =>
  (await client.query<Unusual>(selectUnusual)).rows[0] ?? { releasesAreLeft: false, isRestored: false }

/** The claims of one driver. `smaller` is what it remembers of those that ran into a time limit. */
export const createClaims = ({ batchMaxDevices, batchMaxWaitMs, maxAttempts = 5 }: ClaimOptions) => {
  const smaller: SmallerClaims = new Map()
  const chooseRoute = createRouteChooser()
  const restMs = (key: number): number =>
    smaller.size === 0 ? 0 : restsForMs(smaller, key, asyncScheduler.now())
  const mostOf = (key: number, usual: number): number => Math.min(smaller.get(key)?.most ?? usual, usual)

  /** Takes `moves` of a route or of a part of the re-queue, and learns from the time limits that this runs into. */
  const taking = async <T>(key: number, moves: number, usual: number, take: () => Promise<T>): Promise<T> => {
    const step = { key, moves, usual, since: asyncScheduler.now() }
    try {
      const taken = await take()
      if (smaller.has(key)) succeededStep(smaller, step)
      return taken
    } catch (error) {
      throw failedStep(smaller, step, error)
    }
  }

  /** A part of the re-queue is worked on, unless it rests. */
  const takingDue = async (
    key: number,
    usual: number,
    take: (most: number) => Promise<void>,
  ): Promise<void> => {
    const most = mostOf(key, usual)
    if (restMs(key) === 0) await taking(key, most, usual, () => take(most))
  }

  const idle = async (client: PoolClient, readyInMs: number | null): Promise<Claim> => {
    const dueInMs = await nextDueInMs(client)
    const wakeInMs = soonest([
      readyInMs,
      await nextTryInMs(client),
      dueInMs === null ? null : Math.max(dueInMs, restMs(dueMoves)),
      (await releasesAreLeft(client)) ? restMs(releasedMoves) : null,
    ])
    return { kind: 'idle', wakeInMs }
  }

  /** Nothing is claimed of a route. A piece of a search goes, if no route will be ready in a moment. */
  const pieceOrIdle = async (
    client: PoolClient,
    inHand: readonly number[],
    isOtherReady: boolean,
    readyInMs: number | null,
  ): Promise<Claim> => {
    const piece = isOtherReady ? null : await nextPiece(client, inHand)
    return piece === null ? idle(client, readyInMs) : { kind: 'job', job: await loadJob(client, piece) }
  }

  const claimRoute = async (
    client: PoolClient,
    { routeId, claimed, pending, isTry }: Candidate,
    mayBeTold: boolean,
  ): Promise<Job | null> => {
    if (isTry) await noteTry(client, routeId, null)
    const moves = Math.min(pending, mostOf(routeId, batchMaxDevices))
    const range = { routeId, fromSeq: claimed + 1n, toSeq: claimed + BigInt(moves) }
    return taking(routeId, moves, batchMaxDevices, async () => {
      const batchId = await claimRange(client, range, { mayBeTold, maxAttempts })
      return batchId === null ? null : loadJob(client, batchId)
    })
  }

  /** The next batch of the best ready route, or a piece of a search. */
  const claimFresh = async (
    client: PoolClient,
    inHand: readonly number[],
    { waiting, mayBeTold }: AfterRestore,
  ): Promise<Claim> => {
    for (let ranges = 0; ranges < maxEmptyRanges; ranges += 1) {
      await takingDue(dueMoves, mostAppended, most => appendDue(client, most))
      const routes = await candidateRoutes(client, inHand)
      const candidates = routes.filter(({ routeId }) => !waiting.has(routeId))
      const { awake, nextInMs } =
        smaller.size === 0
          ? { awake: candidates, nextInMs: null }
          : withoutResting(candidates, smaller, asyncScheduler.now())
      const readiness = { batchMaxDevices, batchMaxWaitMs, nowMs: candidates[0]?.nowMs ?? 0 }
      const choice = chooseRoute(awake.filter(isFree), readiness)
      if (choice.kind === 'none') {
        const isOtherReady = routeAmong(awake.filter(isFreeSoon), readiness, 0).kind === 'ready'
        return pieceOrIdle(client, inHand, isOtherReady, soonest([choice.readyInMs, nextInMs]))
      }
      const job = await claimRoute(client, choice.route, mayBeTold)
      if (job !== null) return { kind: 'job', job }
      // Up to a whole range was settled, which takes as long as a settlement.
      if (mayBeTold) break
    }
    return { kind: 'idle', wakeInMs: 0 }
  }

  /** The claim of one transaction: an unfinished batch, or the next batch of the best ready route, or neither. */
  return async (client: PoolClient, inHand: readonly number[], mayTakePiece: boolean): Promise<Claim> => {
    // The lock comes first: a claim whose answer was lost may still be under way, and its batch is to be found here.
    await lockClaims(client)
    const { releasesAreLeft, isRestored } = await readUnusual(client)
    const restored = isRestored ? await afterRestore(client, inHand) : notRestored
    const { isUnlisted, mark } = restored
    const left = await unfinishedJob(client, inHand, isUnlisted)
    if (left === null && isUnlisted) return { kind: 'idle', wakeInMs: null, ...mark }
    const first = left ?? (mayTakePiece ? await nextPiece(client, inHand) : null)
    if (first !== null) return { kind: 'job', job: await loadJob(client, first), ...mark }
    if (releasesAreLeft) await takingDue(releasedMoves, mostReleased, most => releaseLeft(client, most))
    return { ...(await claimFresh(client, inHand, restored)), ...mark }
  }
}
