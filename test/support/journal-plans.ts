/** Watches how the server carries out the journal's own statements. */
import type { Client } from 'pg'
import { createPool, type Pool } from '../../src/postgres/session/session'

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Index Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Join Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly PlanNode[]
}

export interface WatchedStatement {
  readonly sql: string
  /** Rows that its busiest step gave or threw away, over all its loops. */
  readonly busiestStep: number
  readonly indexes: readonly string[]
}

export interface WatchedJournal {
  readonly pool: Pool
  /** The statements since the last look. */
  statements(): WatchedStatement[]
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

const touched = (node: PlanNode): number =>
  node['Actual Loops'] *
  (node['Actual Rows'] +
    (node['Rows Removed by Filter'] ?? 0) +
    (node['Rows Removed by Join Filter'] ?? 0) +
    (node['Rows Removed by Index Recheck'] ?? 0))

const watched = (text: string): WatchedStatement => {
  const { 'Query Text': sql, Plan } = JSON.parse(text) as { 'Query Text': string; Plan: PlanNode }
  const nodes = nodesOf(Plan)
  return {
    sql: sql.replace(/\s+/g, ' ').trim(),
    busiestStep: Math.max(...nodes.map(touched)),
    indexes: nodes.flatMap(node => node['Index Name'] ?? []),
  }
}

const tables = 'move, left_out, job, outcome, requeue, outbox, route, route_intake, route_claims, consumed'

/**
 * A pool on the database at `url` (a superuser's) whose statements are watched, and no table of which ever gets
 * statistics: as when everything was filled a moment ago. `admin` is a connection to the same database.
 */
export const watchJournal = async (url: string, admin: Client): Promise<WatchedJournal> => {
  for (const table of tables.split(', '))
    await admin.query(`alter table device_move_journal.${table} set (autovacuum_enabled = false)`)
  const name = new URL(url).pathname.slice(1)
  for (const setting of [
    `session_preload_libraries = 'auto_explain'`,
    'auto_explain.log_min_duration = 0',
    'auto_explain.log_analyze = on',
    'auto_explain.log_timing = off',
    `auto_explain.log_format = 'json'`,
    `auto_explain.log_level = 'notice'`,
  ])
    await admin.query(`alter database ${name} set ${setting}`)
  const seen: WatchedStatement[] = []
  const pool = createPool(url, {
    max: 4,
    onError: error => {
      throw error
    },
  })
  pool.on('connect', client =>
    client.on('notice', ({ message }) => {
      const at = message?.indexOf('plan:\n') ?? -1
      if (message !== undefined && at >= 0) seen.push(watched(message.slice(at + 'plan:\n'.length)))
    }),
  )
  return { pool, statements: () => seen.splice(0) }
}
