import { type ClientConfig, types } from 'pg'

/** What every connection of ours is called in pg_stat_activity. */
export const applicationName = 'device-move'

/** bigint columns as BigInt: positions outgrow a double. */
const int8AsBigInt = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === types.builtins.INT8 && format !== 'binary'
      ? (text: string) => BigInt(text)
      : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
}

/**
 * Settings of a session. A frozen process would keep its row locks: the server ends its transaction, and nobody
 * waits for them for ever. JIT costs more than it saves here.
 */
const settings = [
  'search_path=device_move_journal',
  'idle_in_transaction_session_timeout=15000',
  'lock_timeout=10000',
  'statement_timeout=60000',
  'jit=off',
]

/** How to connect to `url` (a PostgreSQL connection string) with our settings. */
export const sessionConfig = (url: string): ClientConfig => ({
  connectionString: url,
  application_name: applicationName,
  options: settings.map(setting => `-c ${setting}`).join(' '),
  keepAlive: true,
  connectionTimeoutMillis: 10_000,
  types: int8AsBigInt,
})
