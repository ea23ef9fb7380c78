/**
 * The routes that people look at, of however many there are: the largest, and besides them those that are held or blocked.
 * The view `routes` has all of them, at a cost that grows with what has ended; this reads only what the chosen ones need.
 */
import type { HoldKind } from '../../domain/route'
import type { Queries } from '../session/transaction'
import { unfinished } from '../shared-sql'

/** A route with something to do, or that is held. Instants are ISO 8601. */
export interface RouteStatus {
  readonly routeId: number
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly targetInstanceIds: readonly string[]
  readonly priority: string
  readonly pending: number
  readonly inFlight: number
  /** Those of them whose devices are looked up one by one. */
  readonly lookingUp: number
  readonly retrying: number
  readonly moved: number
  readonly failed: number
  /** Moves bound to a job that is held. */
  readonly inHeldJobs: number
  readonly oldestPendingAt: string | null
  readonly eta: string | null
  readonly heldAt: string | null
  readonly heldKind: HoldKind | null
  readonly heldReason: string | null
  /** When one batch of a refused route is tried by itself. */
  readonly heldRetryAt: string | null
  /** The batch because of which nothing of the route is sent, and why. */
  readonly blockedByBatch: number | null
  readonly blockedReason: string | null
}

/** How many routes there are in all, the ones that are not shown included. */
export interface RouteCounts {
  /** With moves that wait, are in flight or lie in held jobs. */
  readonly withWork: number
  readonly held: number
  /** Of those with moves that wait. */
  readonly blocked: number
}

export interface RoutesStatus {
  /** Most waiting moves first. */
  readonly routes: readonly RouteStatus[]
  readonly routeCounts: RouteCounts
}

/** At most this many of each are shown: the largest, the held and the blocked routes. */
const mostOfEach = 100

const selectRoutes = `
  with waiting as (
    select route_id, count(*) filter (where attempt = 1) as pending, count(*) filter (where attempt > 1) as retrying
    from requeue group by route_id
  ), open as (
    select route_id, sum(left_open) filter (where held_at is null) as in_flight,
           sum(left_open) filter (where held_at is null and status = 'looking-up') as looking_up,
           sum(left_open) filter (where held_at is not null) as held
    from (select *, moves - coalesce(moved + failed + retried, 0) as left_open from job where ${unfinished('job')}) unsettled
    group by route_id
  ), work as materialized (
    select route_id, i.appended - k.claimed - (i.appended_again - k.claimed_again) + coalesce(w.pending, 0) as pending,
           i.appended_again - k.claimed_again + coalesce(w.retrying, 0) as retrying,
           coalesce(o.in_flight, 0) as in_flight, coalesce(o.looking_up, 0) as looking_up, coalesce(o.held, 0) as in_held_jobs,
           case when i.appended > k.claimed then k.claimed + 1 end as next_seq
    from route_intake i
    join route_claims k using (route_id)
    left join waiting w using (route_id)
    left join open o using (route_id)
    where i.appended > k.claimed or w.route_id is not null or o.route_id is not null
  ), blocking as (
    -- As in the view: what stops all routes that look alike in the provider's List.
    select j.job_id, r.product_key, r.source_instance_id, r.strategy, r.target_instance_ids,
           coalesce(j.held_reason, format('refused %s time%s with unrecognised codes, last error: %s',
                                          j.refusals - j.inherited_refusals,
                                          case when j.refusals - j.inherited_refusals > 1 then 's' end, j.last_error)) as reason
    from job j join route r using (route_id)
    where ${unfinished('j')}
      and (j.held_at is not null and j.status in ('creating', 'unknown')
           or j.held_at is null and j.status in ('claimed', 'creating', 'unknown') and j.refusals > j.inherited_refusals)
  ), held as materialized (
    select route_id from route where held_at is not null
  ), blocked as materialized (
    select distinct on (r.route_id) r.route_id, b.job_id, b.reason
    from blocking b
    join route r on b.product_key = r.product_key and b.source_instance_id = r.source_instance_id and b.strategy = r.strategy
      and b.target_instance_ids @> r.target_instance_ids and b.target_instance_ids <@ r.target_instance_ids
    order by r.route_id, b.job_id
  ), blocked_work as materialized (
    select route_id, pending + retrying as moves from blocked join work using (route_id) where pending + retrying > 0
  ), chosen as (
    (select route_id from work order by pending + retrying desc, route_id limit $1)
    union
    (select route_id from held left join work using (route_id)
     order by coalesce(pending + retrying, 0) desc, route_id limit $1)
    union
    (select route_id from blocked_work order by moves desc, route_id limit $1)
  ), totals as (
    select count(*) as with_work, (select count(*) from held) as held, (select count(*) from blocked_work) as blocked,
           sum(pending + retrying + in_flight - looking_up)
             filter (where route_id not in (select route_id from held) and route_id not in (select route_id from blocked)) as moves
    from work
  ), rate as (
    -- Moves settled a second over the last quarter of an hour of work. Look-ups have a pace of their own.
    select sum(moves) / greatest(extract(epoch from max(settled_at) - min(claimed_at)), 1) as per_second
    from job where status = 'settled' and parts = 0 and settled_at > now() - interval '15 minutes'
  )
  select r.route_id as "routeId", r.product_key as "productKey", r.source_instance_id as "sourceInstanceId",
         r.target_instance_ids as "targetInstanceIds", r.priority,
         coalesce(w.pending, 0)::float8 as pending, coalesce(w.in_flight, 0)::float8 as "inFlight",
         coalesce(w.looking_up, 0)::float8 as "lookingUp",
         coalesce(w.retrying, 0)::float8 as retrying, coalesce(w.in_held_jobs, 0)::float8 as "inHeldJobs",
         coalesce(s.moved, 0)::float8 as moved, coalesce(s.failed, 0)::float8 as failed,
         m.appended_at as "oldestPendingAt",
         case when r.held_at is null and b.job_id is null and w.pending + w.retrying + w.in_flight - w.looking_up > 0 then
           now() + make_interval(secs => (t.moves / rate.per_second)::float8)
         end as eta,
         r.held_at as "heldAt", case when r.held_at is not null then coalesce(r.held_kind, 'operator') end as "heldKind",
         r.held_reason as "heldReason", r.retry_at as "heldRetryAt",
         b.job_id::float8 as "blockedByBatch", b.reason as "blockedReason",
         t.with_work::float8 as "withWork", t.held::float8 as held, t.blocked::float8 as blocked
  from chosen
  join route r using (route_id)
  left join work w using (route_id)
  left join blocked b using (route_id)
  left join lateral (
    select sum(j.moved) as moved, sum(j.failed) as failed from job j where j.route_id = r.route_id and j.status in ('settled', 'looking-up')
  ) s on true
  left join move m on m.route_id = r.route_id and m.seq = w.next_seq
  cross join totals t
  cross join rate
  order by coalesce(w.pending + w.retrying, 0) desc, r.route_id`

type Instants = 'oldestPendingAt' | 'eta' | 'heldAt' | 'heldRetryAt'
type RouteRow = Omit<RouteStatus, Instants> & Readonly<Record<Instants, Date | null>> & RouteCounts

const none: RouteCounts = { withWork: 0, held: 0, blocked: 0 }

/** The routes with most moves that wait, and the held and the blocked ones. */
export const readRoutes = async (from: Queries): Promise<RoutesStatus> => {
  const { rows } = await from.query<RouteRow>(selectRoutes, [mostOfEach])
  const [{ withWork, held, blocked } = none] = rows
  return {
    routes: rows.map(({ withWork: _work, held: _held, blocked: _blocked, ...row }) => ({
      ...row,
      oldestPendingAt: row.oldestPendingAt?.toISOString() ?? null,
      eta: row.eta?.toISOString() ?? null,
      heldAt: row.heldAt?.toISOString() ?? null,
      heldRetryAt: row.heldRetryAt?.toISOString() ?? null,
    })),
    routeCounts: { withWork, held, blocked },
  }
}
