import type { PoolClient } from 'pg'
import { applyClaimRules, type ClaimDecision, type ClaimedMove } from '../domain/claim-rules'
import { type ClaimRange, otherMoves } from './other-moves'
import { releaseWaitingFor, setWaiting } from './waiting-moves'

interface RangeMove extends ClaimedMove {
  readonly seq: bigint
}

interface Decided<K extends ClaimDecision['kind']> {
  readonly move: RangeMove
  readonly decision: Extract<ClaimDecision, { readonly kind: K }>
}

const movesOfRange = async (client: PoolClient, range: ClaimRange): Promise<RangeMove[]> => {
  const { rows } = await client.query<RangeMove>(
    `select seq, accepted, device_name as "deviceName", request_id as "requestId", attempt
     from move where route_id = $1 and seq between $2 and $3 order by seq`,
    [range.routeId, range.fromSeq, range.toSeq],
  )
  return rows
}

const leaveOutDuplicates = async (
  client: PoolClient,
  routeId: number,
  moves: readonly RangeMove[],
): Promise<void> => {
  if (moves.length === 0) return
  await client.query(
    `insert into left_out (route_id, seq, reason) select $1, seq, 'duplicate' from unnest($2::bigint[]) as t (seq)`,
    [routeId, moves.map(move => move.seq)],
  )
  await releaseWaitingFor(
    client,
    moves.map(move => move.accepted),
  )
}

const insertJob = async (
  client: PoolClient,
  range: ClaimRange,
  moves: readonly RangeMove[],
): Promise<number> => {
  const devices = new Set(moves.map(move => move.deviceName)).size
  const { rows } = await client.query<{ jobId: number }>(
    `insert into job (route_id, from_seq, to_seq, moves, devices) values ($1, $2, $3, $4, $5)
     returning job_id::float8 as "jobId"`,
    [range.routeId, range.fromSeq, range.toSeq, moves.length, devices],
  )
  const [row] = rows
  if (row === undefined) throw new Error('no job was stored')
  return row.jobId
}

/**
 * Claims a range under the claim rules: leaves out repeats and those that must wait, binds the rest to a new job.
 * Returns its number, or null when nothing of the range is to be sent. Needs the claim lock.
 */
export const claimRange = async (client: PoolClient, range: ClaimRange): Promise<number | null> => {
  const moves = await movesOfRange(client, range)
  const decisions = applyClaimRules(moves, await otherMoves(client, range))
  const all = <K extends ClaimDecision['kind']>(kind: K): Decided<K>[] =>
    moves.flatMap((move, index) => {
      const decision = decisions[index]
      return decision?.kind === kind ? [{ move, decision } as Decided<K>] : []
    })
  const duplicates = all('duplicate').map(({ move }) => move)
  const waiting = all('wait')
  await setWaiting(client, {
    routeId: range.routeId,
    seqs: waiting.map(({ move }) => move.seq),
    waitsFor: waiting.map(({ decision }) => decision.waitsFor),
  })
  await leaveOutDuplicates(client, range.routeId, duplicates)
  await client.query(
    `update route_claims
     set claimed = $2, claimed_again = claimed_again + $3, duplicates = duplicates + $4 where route_id = $1`,
    [range.routeId, range.toSeq, moves.filter(move => move.attempt > 1).length, duplicates.length],
  )
  const sent = all('send').map(({ move }) => move)
  return sent.length > 0 ? insertJob(client, range, sent) : null
}
