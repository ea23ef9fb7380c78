import { createHash } from 'node:crypto'
import type { PoolClient } from 'pg'

/** A move that is about to be appended. */
export interface NewMove {
  readonly requestId: string
  readonly productKey: string
  readonly deviceName: string
}

/** What the index `rejection_repeat` holds of a rejection with a device. */
const repeatKey = ({ requestId, productKey, deviceName }: NewMove): string =>
  createHash('md5').update(`${requestId}\u001f${productKey}\u001f${deviceName}`).digest('hex')

const indexed = `md5(request_id || chr(31) || coalesce(product_key, '') || chr(31) ||
  coalesce(device_name, chr(30) || content, chr(30) || source_id || '/' || source_offset || '/' || ordinal))`

const query = `select ${indexed} as key from rejection where ${indexed} = any($1::text[])`

/** Those whose request and device have been rejected: they repeat that. By their places in the list. */
export const rejectedBefore = async (
  client: PoolClient,
  moves: readonly NewMove[],
): Promise<ReadonlySet<number>> => {
  const { rowCount } = await client.query('select from rejection limit 1')
  if (rowCount === 0) return new Set()
  const keys = moves.map(repeatKey)
  // Without statistics the planner goes through the whole table: several times as long.
  await client.query('set local enable_seqscan = off')
  const { rows } = await client.query<{ key: string }>(query, [`{${keys.join(',')}}`])
  await client.query('set local enable_seqscan = on')
  const rejected = new Set(rows.map(({ key }) => key))
  return new Set(keys.flatMap((key, index) => (rejected.has(key) ? [index] : [])))
}
