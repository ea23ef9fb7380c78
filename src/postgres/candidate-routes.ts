import type { PoolClient } from 'pg'
import type { CandidateRoute } from '../domain/choose-route'
import { lookAlike } from './look-alike'

export interface Candidate extends CandidateRoute {
  readonly claimed: bigint
  readonly nowMs: number
}

// The lateral limit keeps the planner from joining the whole log: one look-up a route, however many there are.
const select = `
  with creating as materialized (
    select b.* from job j join route b using (route_id)
    where j.status not in ('refused', 'settled')
      and (j.status in ('creating', 'unknown') or j.status = 'claimed' and j.held_at is null)
  )
  select r.route_id as "routeId", r.priority, k.claimed, least(i.appended - k.claimed, 2147483647)::integer as pending,
         (extract(epoch from oldest.appended_at) * 1000)::float8 as "oldestAt",
         (extract(epoch from statement_timestamp()) * 1000)::float8 as "nowMs"
  from route r
  join route_intake i using (route_id)
  join route_claims k using (route_id)
  cross join lateral (
    select m.appended_at from move m where m.route_id = r.route_id and m.seq = k.claimed + 1 limit 1
  ) oldest
  where i.appended > k.claimed and r.held_at is null
    and not exists (select from creating b where ${lookAlike('b', 'r')})`

/** Routes with moves to claim: not held, and without a create, of theirs or a look-alike's, yet to be answered. */
export const candidateRoutes = async (client: PoolClient): Promise<readonly Candidate[]> =>
  (await client.query<Candidate>(select)).rows
