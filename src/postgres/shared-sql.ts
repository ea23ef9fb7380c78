/** Parts of statements that several files use, so that columns and conditions are written once. */

const namesOfMove = [
  'source_id',
  'source_offset',
  'accepted',
  'requested_at',
  'device_name',
  'request_id',
  'traceparent',
  'recorded_at',
]

/** The columns of a move that are the same in `move` and `requeue` and stay the same through all its attempts. */
export const moveColumns = namesOfMove.join(', ')

/** `moveColumns` in the same order, of the table with this alias. */
export const moveColumnsOf = (alias: string): string => namesOfMove.map(name => `${alias}.${name}`).join(', ')

/** A condition on a row of `job`: it is neither settled nor split. The index `job_unfinished` has the same condition. */
export const unfinished = (job: string): string => `${job}.status not in ('refused', 'settled')`

/** The columns of `route r` as the fields of a route. */
export const routeColumns = `r.product_key as "productKey", r.source_instance_id as "sourceInstanceId", r.strategy,
  r.target_instance_ids as "targetInstanceIds", r.target_uid as "targetUid", r.target_aliyun_id as "targetAliyunId",
  r.priority`

/**
 * Whether a row of `forgotten_job` looks like a row of `route` in the provider's List, as a condition. Targets that List
 * did not show may be the route's.
 */
export const looksLikeForgotten = (job: string, route: string): string => `
  ${job}.product_key = ${route}.product_key and ${job}.source_instance_id = ${route}.source_instance_id
  and ${job}.strategy = ${route}.strategy
  and (${job}.target_instance_ids = '{}'
       or ${job}.target_instance_ids @> ${route}.target_instance_ids
          and ${job}.target_instance_ids <@ ${route}.target_instance_ids)`

/** Tells every process that moves may be ready to claim or outcomes to publish, once the transaction is committed. */
export const notifyChange = `pg_notify('device_move', '')`

/**
 * A statement that appends one row to the outbox, which names what is to be published. The counter stays locked until the
 * transaction ends, so that rows appear in the order of their ids and without gaps. A transaction therefore does this last.
 */
export const appendToOutbox = (columns: string, values: string): string => `
  with counter as (update outbox_counter set last_id = last_id + 1 returning last_id)
  insert into outbox (outbox_id, ${columns}) select last_id, ${values} from counter`
