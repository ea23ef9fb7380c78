/** What a claim has to know after an operator has accepted a restored database, which may have forgotten jobs. */
import type { PoolClient } from 'pg'
import type { Claim } from '../../ports/journal'
import { lockJob, movesOfJob } from '../job/job-row'
import { looksLikeForgotten } from '../shared-sql'
import { giveBack } from './told-moves'

export interface AfterRestore {
  /** The provider's jobs are not listed yet. Nothing is sent before. */
  readonly isUnlisted: boolean
  /** Routes that look like a forgotten job which is not read yet. */
  readonly waiting: ReadonlySet<number>
  /** Forgotten jobs that were read may tell of moves. */
  readonly mayBeTold: boolean
  /** What is said of it with the claim. */
  readonly mark: Pick<Claim, 'forgotten'>
}

export const notRestored: AfterRestore = {
  isUnlisted: false,
  waiting: new Set(),
  mayBeTold: false,
  mark: {},
}

type State = Pick<AfterRestore, 'isUnlisted' | 'mayBeTold'>

const selectState = `
  select exists (select from accepted_restore where jobs_listed_at is null) as "isUnlisted",
         exists (select from forgotten_result) as "mayBeTold"`

const selectWaiting = `
  select r.route_id as "routeId" from route r
  where exists (select from forgotten_job f where f.status = 'open' and ${looksLikeForgotten('f', 'r')})`

// Batches from before the restore that may have been sent after the copy was taken; halves are as old as what was halved.
const selectDoubtful = `
  select j.job_id::float8 as "batchId" from job j join route r using (route_id)
  where j.status = 'claimed' and (j.held_at is null or j.held_with_route) and j.job_id <> all ($1::bigint[])
    and coalesce((select o.claimed_at from job o where o.job_id = j.family), j.claimed_at)
        <= (select max(accepted_at) from accepted_restore)
    and exists (select from forgotten_job f where ${looksLikeForgotten('f', 'r')})
  order by j.job_id`

/** Gives the moves of a claimed batch back, to be claimed anew. */
const dissolve = async (client: PoolClient, batchId: number): Promise<void> => {
  const job = await lockJob(client, batchId)
  const moves = await movesOfJob(client, job)
  await giveBack(
    client,
    job.routeId,
    moves.map(({ seq }) => seq),
  )
  await client.query(
    `update job set status = 'refused', ended_as = 'refused', held_at = null, held_reason = null, held_with_route = false,
                    last_error = 'given back after a restore: its devices may be in jobs that this database had forgotten'
     where job_id = $1`,
    [batchId],
  )
}

/** Gives batches back that may have been sent, and tells what else waits. Needs the claim lock. */
export const afterRestore = async (client: PoolClient, inHand: readonly number[]): Promise<AfterRestore> => {
  const doubtful = await client.query<{ batchId: number }>(selectDoubtful, [inHand])
  for (const { batchId } of doubtful.rows) await dissolve(client, batchId)
  const state = (await client.query<State>(selectState)).rows[0] ?? notRestored
  const { rows } = await client.query<{ routeId: number }>(selectWaiting)
  return {
    ...state,
    waiting: new Set(rows.map(({ routeId }) => routeId)),
    mark: state.isUnlisted || rows.length > 0 ? { forgotten: true } : {},
  }
}
