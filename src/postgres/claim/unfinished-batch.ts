/** Which batch that nobody has in hand is to be taken up: one that was left unfinished, or a piece of a search. */
import type { PoolClient } from 'pg'
import { noteTry } from '../job/route-hold'
import { unfinished } from '../shared-sql'

/** `lookAlikeKey` of the domain as a condition on two rows of `route`, named by their aliases. */
export const lookAlike = (a: string, b: string): string => `
  ${a}.product_key = ${b}.product_key and ${a}.source_instance_id = ${b}.source_instance_id
  and ${a}.strategy = ${b}.strategy
  and ${a}.target_instance_ids @> ${b}.target_instance_ids and ${a}.target_instance_ids <@ ${b}.target_instance_ids`

/**
 * Batches because of which no look-alike may be created, as a step of a query with the batches in hand as $1. A piece of a
 * search is one only while it is in hand: the others wait for what fresh batches leave over.
 */
export const creating = `
  creating as materialized (
    select b.*, j.held_at is null and (j.status = 'creating' or j.status = 'claimed' and j.refusals = j.inherited_refusals)
             as is_brief
    from job j join route b using (route_id)
    where ${unfinished('j')}
      and (j.status in ('creating', 'unknown')
           or j.status = 'claimed' and j.held_at is null and (j.search is null or j.job_id = any ($1::bigint[])))
  )`

/**
 * The next unfinished batch that is neither held nor in hand ($1), nor an unsent piece of a search, and whose devices are
 * not being looked up. A batch that waits
 * with its refused route counts as held until it is to be tried.
 *
 * Of routes that look alike in the provider's List, one create is under way at a time: of two without an answer, one
 * could be taken for the other's job. So only the first of their batches that are yet to be created is offered, and none
 * while one of them is in hand. A held batch that was certainly not created stops no other.
 *
 * Jobs that may be open at the provider come first: a new driver has to count them before it creates anything.
 *
 * A batch whose adopted job was another's may become unknown again while a later create is without an answer. The later
 * one is looked for first, so that the earlier one never takes its job.
 */
const selectUnfinished = `
  select j.job_id::float8 as "batchId", j.route_id as "routeId", j.held_at is not null as "isTry"
  from job j join route r using (route_id)
  where ${unfinished('j')} and j.status <> 'looking-up' and j.job_id <> all ($1::bigint[])
    and (j.held_at is null and (j.search is null or j.status <> 'claimed')
         or j.held_with_route and r.held_kind = 'refused' and r.retry_at <= statement_timestamp())
    and not (j.status = 'claimed' and exists (
      select from job b join route br on br.route_id = b.route_id
      where ${unfinished('b')}
        and (b.status in ('creating', 'unknown') or b.status = 'claimed' and b.held_at is null
             and (b.search is null and b.job_id < j.job_id or b.job_id = any ($1::bigint[])))
        and ${lookAlike('br', 'r')}))
    and not (j.status = 'unknown' and exists (
      select from job b join route br on br.route_id = b.route_id
      where ${unfinished('b')} and b.job_id > j.job_id
        and (b.status in ('creating', 'unknown') or b.status = 'claimed' and b.job_id = any ($1::bigint[]))
        and ${lookAlike('br', 'r')}))
  order by j.status = 'claimed', j.job_id limit 1`

interface Unfinished {
  readonly batchId: number
  readonly routeId: number
  /** It waits with its refused route, and is to be tried now. */
  readonly isTry: boolean
}

export const unfinishedJob = async (
  client: PoolClient,
  inHand: readonly number[],
): Promise<number | null> => {
  const [found] = (await client.query<Unfinished>(selectUnfinished, [inHand])).rows
  if (found?.isTry) await noteTry(client, found.routeId, found.batchId)
  return found?.batchId ?? null
}

// A piece follows the claim rules of fresh work: one create of look-alikes at a time, and none of a held route. Only the
// batch that a refused route is tried with is not held itself.
const selectPiece = `
  with ${creating}
  select j.job_id::float8 as "batchId" from job j join route r using (route_id)
  where ${unfinished('j')} and j.status = 'claimed' and j.search is not null and j.held_at is null
    and (r.held_at is null or r.held_kind = 'refused')
    and j.job_id <> all ($1::bigint[]) and not exists (select from creating b where ${lookAlike('b', 'r')})
  order by j.search = 'drawn' desc, j.search = 'piece' desc, j.job_id limit 1`

/** The next piece of a search that may be created now. */
export const nextPiece = async (client: PoolClient, inHand: readonly number[]): Promise<number | null> =>
  (await client.query<Pick<Unfinished, 'batchId'>>(selectPiece, [inHand])).rows[0]?.batchId ?? null
