import type { PoolClient } from 'pg'
import { halveBatch } from '../domain/halve-batch'
import type { BatchMove } from '../domain/job'
import { type JobRow, movesOfJob } from './load-job'
import { setWaiting } from './waiting-moves'

const insertHalf = async (
  client: PoolClient,
  job: JobRow,
  range: readonly [bigint, bigint],
  moves: readonly BatchMove[],
): Promise<void> => {
  const devices = new Set(moves.map(move => move.deviceName)).size
  await client.query(
    `insert into job (route_id, from_seq, to_seq, moves, devices, refusals, inherited_refusals, split_from, family)
     values ($1, $2, $3, $4, $5, $6, $6, $7, $8)`,
    [job.routeId, ...range, moves.length, devices, job.refusals + 1, job.jobId, job.family ?? job.jobId],
  )
}

/** Two claimed jobs over the two parts of a job's range, in place of it. */
export const splitJob = async (client: PoolClient, job: JobRow, why: string): Promise<void> => {
  const { first, second, behind } = halveBatch(await movesOfJob(client, job))
  const cut = second[0]?.seq ?? job.toSeq
  const { rows } = await client.query<{ seq: bigint; accepted: bigint }>(
    'select seq, accepted from move where route_id = $1 and seq = any($2::bigint[])',
    [job.routeId, [...behind.values()]],
  )
  const acceptedAt = new Map(rows.map(row => [row.seq, row.accepted]))
  await setWaiting(client, {
    routeId: job.routeId,
    seqs: [...behind.keys()],
    waitsFor: [...behind.values()].map(seq => acceptedAt.get(seq) ?? 0n),
  })
  await insertHalf(client, job, [job.fromSeq, cut - 1n], first)
  await insertHalf(client, job, [cut, job.toSeq], second)
  await client.query(
    `update job set status = 'refused', ended_as = 'refused', refusals = refusals + 1, last_error = $2 where job_id = $1`,
    [job.jobId, why],
  )
}
