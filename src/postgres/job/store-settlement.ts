/** Stores how every move of a job ended, with the re-queues, the released moves and the outbox row that follow. */
import type { PoolClient } from 'pg'
import type { Verdict } from '../../domain/outcome'
import { checkVerdicts } from '../../domain/settlement'
import { releaseWaiting } from '../claim/requeued-moves'
import { lockClaims } from '../session/transaction'
import { appendToOutbox, moveColumns, moveColumnsOf, notifyChange } from '../shared-sql'
import type { JobRow } from './job-row'

const seqsOfJob = async (client: PoolClient, job: JobRow): Promise<bigint[]> => {
  const { rows } = await client.query<{ seq: bigint }>(
    'select seq from left_out where route_id = $1 and seq between $2 and $3',
    [job.routeId, job.fromSeq, job.toSeq],
  )
  const leftOut = new Set(rows.map(row => row.seq))
  const seqs: bigint[] = []
  for (let seq = job.fromSeq; seq <= job.toSeq; seq += 1n) if (!leftOut.has(seq)) seqs.push(seq)
  return seqs
}

// The common case, all moved with one code, needs only the range.
const insertMoved = `
  insert into outcome (route_id, seq, job_id, final, outcome, code)
  select $1, s.seq, $4, true, 'moved', $5
  from generate_series($2::bigint, $3::bigint) as s (seq)
  where not exists (select from left_out l where l.route_id = $1 and l.seq between $2 and $3 and l.seq = s.seq)
    and not exists (select from unnest($6::bigint[]) as x (seq) where x.seq = s.seq)`

const insertOthers = `
  insert into outcome (route_id, seq, job_id, final, outcome, code, message)
  select $1, seq, $2, final, outcome, code, message
  from unnest($3::bigint[], $4::boolean[], $5::text[], $6::text[], $7::text[]) as t (seq, final, outcome, code, message)`

// The range is given because by the positions alone the planner may go through the whole log of the route.
const insertRequeued = `
  insert into requeue (route_id, attempt, due_at, ${moveColumns})
  select m.route_id, m.attempt + 1, now() + t.retry_in_ms * interval '1 millisecond', ${moveColumnsOf('m')}
  from unnest($4::bigint[], $5::float8[]) as t (seq, retry_in_ms)
  join move m on m.route_id = $1 and m.seq between $2 and $3 and m.seq = t.seq`

const insertOutcomes = async (
  client: PoolClient,
  job: JobRow,
  verdicts: readonly Verdict[],
): Promise<void> => {
  const common = verdicts.find(({ outcome, message }) => outcome === 'moved' && message === null)
  const others = verdicts.filter(
    ({ outcome, code, message }) => outcome !== 'moved' || message !== null || code !== common?.code,
  )
  if (common !== undefined)
    await client.query(insertMoved, [
      job.routeId,
      job.fromSeq,
      job.toSeq,
      job.batchId,
      common.code,
      others.map(verdict => verdict.seq),
    ])
  if (others.length > 0)
    await client.query(insertOthers, [
      job.routeId,
      job.batchId,
      others.map(verdict => verdict.seq),
      others.map(verdict => verdict.final),
      others.map(verdict => verdict.outcome),
      others.map(verdict => verdict.code),
      others.map(verdict => verdict.message),
    ])
}

// By look-ups: the planner may prefer to go through the whole re-queue.
const selectWaitedFor = `
  select m.accepted from move m
  cross join lateral (select from requeue q where q.waits_for = m.accepted limit 1) w
  where m.route_id = $1 and m.seq between $2 and $3`

/**
 * Makes the moves due now that waited for a move of a job's range. Needs the claim lock: a claim that decides to wait and
 * the settlement that should release it must not miss each other.
 */
const releaseWaitingForJob = async (
  client: PoolClient,
  { routeId, fromSeq, toSeq }: JobRow,
): Promise<void> => {
  const { rowCount } = await client.query('select from requeue where waits_for is not null limit 1')
  if (rowCount === 0) return
  const { rows } = await client.query<{ accepted: bigint }>(selectWaitedFor, [routeId, fromSeq, toSeq])
  await releaseWaiting(
    client,
    rows.map(row => row.accepted),
  )
}

const notify = `select ${notifyChange}`
const publishOutcomes = appendToOutbox('job_id, outcomes', '$1, $2')

/** Stores how every move of a job ended and all that follows from it, in the caller's transaction. */
export const settleJob = async (
  client: PoolClient,
  job: JobRow,
  verdicts: readonly Verdict[],
  as: 'completed' | 'interrupted' | 'refused' | 'abandoned',
): Promise<void> => {
  checkVerdicts(job.batchId, await seqsOfJob(client, job), verdicts)
  await insertOutcomes(client, job, verdicts)
  const retried = verdicts.filter(verdict => !verdict.final)
  if (retried.length > 0)
    await client.query(insertRequeued, [
      job.routeId,
      job.fromSeq,
      job.toSeq,
      retried.map(verdict => verdict.seq),
      retried.map(verdict => verdict.retryInMs),
    ])
  const moved = verdicts.filter(verdict => verdict.outcome === 'moved').length
  await client.query(
    `update job set status = 'settled', ended_as = $2, settled_at = now(), moved = $3, failed = $4, retried = $5,
       refusals = refusals + $6,
       last_error = case when status in ('completed', 'interrupted') and $2 <> 'abandoned' then null else last_error end
     where job_id = $1`,
    [
      job.batchId,
      as,
      moved,
      verdicts.length - moved - retried.length,
      retried.length,
      as === 'refused' ? 1 : 0,
    ],
  )
  await lockClaims(client)
  await releaseWaitingForJob(client, job)
  await client.query(notify)
  await client.query(publishOutcomes, [job.batchId, verdicts.length])
}
