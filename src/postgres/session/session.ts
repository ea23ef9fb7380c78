import { type ClientConfig, Pool, type PoolClient, types } from 'pg'

/** What a connection of ours is called in pg_stat_activity; those of a replica bear its name (`holder-name.ts`). */
export const applicationName = 'device-move'

/** bigint columns as BigInt: positions outgrow a double. */
const int8AsBigInt = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === types.builtins.INT8 && format !== 'binary'
      ? (text: string) => BigInt(text)
      : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
}

export interface SessionOptions {
  /** Its name in pg_stat_activity. */
  readonly name?: string
  /** The server gives a statement up after this time. Default 30 s. */
  readonly statementMs?: number
  /** The client gives the connection up when no answer has come by then. Default 5 s more. */
  readonly answerMs?: number
}

/** What this service leans on, and a URL could set too: pg would take the URL's word. */
const settled = [
  'application_name',
  'options',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'query_timeout',
]

/** The URL without them, and the `options` it had: some servers tell databases apart by those. */
const withoutSettings = (url: string): { readonly connectionString: string; readonly given: string } => {
  const parsed = new URL(url)
  const given = parsed.searchParams.get('options') ?? ''
  for (const name of settled) parsed.searchParams.delete(name)
  return { connectionString: parsed.href, given }
}

/**
 * How to connect to `url` (a PostgreSQL connection string) with our settings. A frozen process would keep its row
 * locks: the server ends its transaction, and nobody waits for them for ever. Nor does anybody wait for a server
 * that has fallen silent: a statement has its time, an idle connection is probed. JIT costs more than it saves here.
 */
export const sessionConfig = (url: string, options: SessionOptions = {}): ClientConfig => {
  const { name = applicationName, statementMs = 30_000, answerMs = statementMs + 5_000 } = options
  const settings = [
    'search_path=device_move_journal',
    'idle_in_transaction_session_timeout=5000',
    'lock_timeout=10000',
    `statement_timeout=${statementMs}`,
    'jit=off',
  ]
  const { connectionString, given } = withoutSettings(url)
  return {
    connectionString,
    application_name: name,
    // The last word counts.
    options: [given, ...settings.map(setting => `-c ${setting}`)].join(' ').trim(),
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: 10_000,
    query_timeout: answerMs,
    types: int8AsBigInt,
  }
}

export type { Pool }

export interface PoolOptions extends SessionOptions {
  /** Most connections at once. */
  readonly max: number
  /** A connection broke while nobody or somebody used it; the pool goes on without it. */
  readonly onError: (error: Error) => void
}

/** A pool whose connections look into the journal's schema. */
export const createPool = (url: string, { max, onError, ...session }: PoolOptions): Pool => {
  const pool = new Pool({ ...sessionConfig(url, session), max })
  pool.on('error', onError)
  // A connection in use has no listener of the pool's: without one its loss would end the process.
  pool.on('connect', (client: PoolClient) => client.on('error', onError))
  return pool
}

/** PostgreSQL cuts the name of a session after so many characters. */
const maxSessionName = 63

/** What every session of a replica is called: by this name the next holder of the lease finds them and ends them. */
export const sessionNameOf = (holder: string): string => `${applicationName}/${holder}`

/**
 * Names a replica: for people its host and process, for the database something that no other process is called.
 * Fits into the name of a session. `unique`: letters and digits.
 */
export const holderName = (host: string, pid: number, unique: string): string => {
  const rest = `/${pid}/${unique}`
  // The server replaces what is not ASCII.
  const plain = host.replace(/[^!-~]/g, '?')
  return plain.slice(0, maxSessionName - sessionNameOf(rest).length) + rest
}
