/** The role of analysts, which may read the views and nothing else. */
import type { Client } from 'pg'
import { codeOf } from '../../domain/error-text'

export const analystRole = 'device_move_analyst'

const createRole = `create role ${analystRole} nologin`
/**
 * The role sees the views only, because the tables behind them lie in another schema. What PostgreSQL grants to every role
 * can be revoked from all roles only, and others may use this database: docs/analysts.md says how.
 */
const grants = [
  `grant usage on schema device_move to ${analystRole}`,
  `grant select on all tables in schema device_move to ${analystRole}`,
]

const notPermitted = '42501'
/** The role exists. Another database of the same server may have created it at this moment. */
const alreadyThere = new Set(['42710', '23505'])

/** False when this login is not permitted to run it. */
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

/** Makes the role of analysts and lets it read the views. Gives the statements that are left to an administrator. */
export const grantAnalysts = async (client: Client): Promise<string[]> => {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [analystRole])
  if (rowCount === 0 && !(await tryStatement(client, createRole))) return [createRole, ...grants]
  const left: string[] = []
  for (const grant of grants) if (!(await tryStatement(client, grant))) left.push(grant)
  return left
}
