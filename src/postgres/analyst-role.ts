import type { Client } from 'pg'
import { codeOf } from './transient-error'

export const analystRole = 'device_move_analyst'

const createRole = `create role ${analystRole} nologin`
/**
 * Views only: the tables behind them lie in another schema. What PostgreSQL gives to every role could be taken from all of
 * them only, and others may live in this database: docs/analysts.md says how.
 */
const grants = [
  `grant usage on schema device_move to ${analystRole}`,
  `grant select on all tables in schema device_move to ${analystRole}`,
]

const notPermitted = '42501'
/** Another database of the same server may be creating the role at this moment. */
const alreadyThere = new Set(['42710', '23505'])

/** False when this login may not. */
const tryStatement = async (client: Client, statement: string): Promise<boolean> => {
  try {
    await client.query(statement)
    return true
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (alreadyThere.has(code)) return true
    if (code === notPermitted) return false
    throw error
  }
}

/** Makes the role of analysts and lets it read the views. Returns the statements that are left to an administrator. */
export const grantAnalysts = async (client: Client): Promise<string[]> => {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [analystRole])
  if (rowCount === 0 && !(await tryStatement(client, createRole))) return [createRole, ...grants]
  const left: string[] = []
  for (const grant of grants) if (!(await tryStatement(client, grant))) left.push(grant)
  return left
}
