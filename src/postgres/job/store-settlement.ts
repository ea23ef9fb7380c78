/**
 * Stores how moves of a job ended, with the re-queues, the released moves and the outbox row that follow. A job settles at
 * once, or in numbered parts while devices of it are looked up.
 */
import type { PoolClient } from 'pg'
import type { Verdict } from '../../domain/outcome'
import { checkAllSettled, checkVerdicts, countsOf } from '../../domain/settlement'
import { releaseWaiting } from '../claim/unfinished-work'
import { lockClaims } from '../session/transaction'
import { appendToOutbox, moveColumns, moveColumnsOf, notifyChange } from '../shared-sql'
import type { JobRow } from './job-row'

const seqsOfRange = async (client: PoolClient, statement: string, job: JobRow): Promise<Set<bigint>> => {
  const range = [job.routeId, job.fromSeq, job.toSeq]
  const { rows } = await client.query<{ seq: bigint }>(statement, range)
  return new Set(rows.map(row => row.seq))
}

const leftOut = 'select seq from left_out where route_id = $1 and seq between $2 and $3'
const settledBefore = 'select seq from outcome where route_id = $1 and seq between $2 and $3'

/** The positions of a job, in order, that have an outcome (`true`) and that have none. */
const seqsOfJob = async (client: PoolClient, job: JobRow): Promise<ReadonlyMap<bigint, boolean>> => {
  const left = await seqsOfRange(client, leftOut, job)
  const settled = job.parts === 0 ? new Set() : await seqsOfRange(client, settledBefore, job)
  const seqs = new Map<bigint, boolean>()
  for (let seq = job.fromSeq; seq <= job.toSeq; seq += 1n) if (!left.has(seq)) seqs.set(seq, settled.has(seq))
  return seqs
}

// The common case, all of a job moved with one code, needs only the range.
const insertMoved = `
  insert into outcome (route_id, seq, job_id, final, outcome, code)
  select $1, s.seq, $4, true, 'moved', $5
  from generate_series($2::bigint, $3::bigint) as s (seq)
  where not exists (select from left_out l where l.route_id = $1 and l.seq between $2 and $3 and l.seq = s.seq)
    and not exists (select from unnest($6::bigint[]) as x (seq) where x.seq = s.seq)`

const insertOthers = `
  insert into outcome (route_id, seq, job_id, final, outcome, code, message, part)
  select $1, seq, $2, final, outcome, code, message, $8
  from unnest($3::bigint[], $4::boolean[], $5::text[], $6::text[], $7::text[]) as t (seq, final, outcome, code, message)`

// The range is given because by the positions alone the planner may go through the whole log of the route.
const insertRequeued = `
  insert into requeue (route_id, attempt, due_at, ${moveColumns})
  select m.route_id, m.attempt + 1, now() + t.retry_in_ms * interval '1 millisecond', ${moveColumnsOf('m')}
  from unnest($4::bigint[], $5::float8[]) as t (seq, retry_in_ms)
  join move m on m.route_id = $1 and m.seq between $2 and $3 and m.seq = t.seq`

/** `part`: its number; null: the verdicts are all of the job. */
const insertOutcomes = async (
  client: PoolClient,
  job: JobRow,
  verdicts: readonly Verdict[],
  part: number | null,
): Promise<void> => {
  const common =
    part === null
      ? verdicts.find(({ outcome, message }) => outcome === 'moved' && message === null)
      : undefined
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
      part,
    ])
}

// By look-ups: the planner may prefer to go through the whole re-queue.
const selectWaitedFor = `
  select m.accepted from move m
  cross join lateral (select from requeue q where q.waits_for = m.accepted limit 1) w
  where m.route_id = $1 and m.seq between $2 and $3 and m.seq = any ($4::bigint[])`

/**
 * Makes the moves due now that waited for one of the moves of a job that have ended. Needs the claim lock: a claim that
 * decides to wait and the settlement that should release it must not miss each other.
 */
const releaseWaitingForJob = async (
  client: PoolClient,
  { routeId, fromSeq, toSeq }: JobRow,
  ended: readonly bigint[],
): Promise<void> => {
  const { rowCount } = await client.query('select from requeue where waits_for is not null limit 1')
  if (rowCount === 0) return
  const { rows } = await client.query<{ accepted: bigint }>(selectWaitedFor, [routeId, fromSeq, toSeq, ended])
  await releaseWaiting(
    client,
    rows.map(row => row.accepted),
  )
}

const notify = `select ${notifyChange}`
const publishOutcomes = appendToOutbox('job_id, outcomes, part', '$1, $2, $3')
const insertPart = `
  insert into job_part (job_id, part, from_seq, to_seq, outcomes, by_look_up)
  select $1, $2, min(seq), max(seq), count(*), $4 from unnest($3::bigint[]) as t (seq)`

// The job is settled once no move is open. With that, or with the look-ups, the trouble with an ended job is over.
const updateJob = `
  update job set status = case when $7 then 'looking-up' else 'settled' end, ended_as = $2,
    settled_at = case when not $7 then now() end,
    moved = coalesce(moved, 0) + $3, failed = coalesce(failed, 0) + $4, retried = coalesce(retried, 0) + $5,
    refusals = refusals + $6, parts = coalesce($8, parts),
    last_error = case when status in ('completed', 'interrupted') and $2 <> 'abandoned' then null else last_error end
  where job_id = $1`

interface SettleJob {
  readonly as: 'completed' | 'interrupted' | 'refused' | 'abandoned'
  /** Whether moves may stay open, to be looked up. */
  readonly mayLeave: boolean
  /** Whether looking devices up has told. Default: false. */
  readonly byLookUp?: boolean
}

/**
 * Stores how moves of a job ended and all that follows from it, in the caller's transaction. Moves that have an outcome
 * already are left as they are. Returns how many moves are still open.
 */
export const settleJob = async (
  client: PoolClient,
  job: JobRow,
  given: readonly Verdict[],
  { as, mayLeave, byLookUp = false }: SettleJob,
): Promise<number> => {
  const seqs = await seqsOfJob(client, job)
  const verdicts = given.filter(({ seq }) => seqs.get(seq) !== true)
  const isOpen = [...seqs].flatMap(([seq, isSettled]) => (isSettled ? [] : [seq]))
  const open = checkVerdicts(job.batchId, isOpen, verdicts)
  if (!mayLeave) checkAllSettled(job.batchId, open)
  const isWhole = verdicts.length === seqs.size
  const part = isWhole || verdicts.length === 0 ? null : job.parts + 1
  await insertOutcomes(client, job, verdicts, part)
  const ended = verdicts.map(({ seq }) => seq)
  const retried = verdicts.filter(verdict => !verdict.final)
  if (retried.length > 0)
    await client.query(insertRequeued, [
      job.routeId,
      job.fromSeq,
      job.toSeq,
      retried.map(verdict => verdict.seq),
      retried.map(verdict => verdict.retryInMs),
    ])
  const counts = countsOf(verdicts)
  const refusals = as === 'refused' ? 1 : 0
  await client.query(updateJob, [
    job.batchId,
    as,
    counts.moved,
    counts.failed,
    counts.retried,
    refusals,
    open > 0,
    part,
  ])
  if (verdicts.length === 0) return open
  if (part !== null) await client.query(insertPart, [job.batchId, part, ended, byLookUp])
  await lockClaims(client)
  await releaseWaitingForJob(client, job, ended)
  await client.query(notify)
  await client.query(publishOutcomes, [job.batchId, verdicts.length, part])
  return open
}
