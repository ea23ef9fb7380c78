/** How this process connects to PostgreSQL: its settings, its name, its pool, and whether the server answers. */
import { type ClientBase, type ClientConfig, Pool, type PoolClient, TypeOverrides, types } from 'pg'

/** The name of a connection in pg_stat_activity. Those of a replica bear its name too (`holderName`). */
const applicationName = 'device-move'

/** Reads bigint columns as BigInt: positions outgrow a double. */
const int8AsBigInt = new TypeOverrides()
int8AsBigInt.setTypeParser(types.builtins.INT8, BigInt)

export interface SessionOptions {
  /** The name of the session in pg_stat_activity. */
  readonly name?: string
  /** The server gives a statement up after this time. Default 30 s. */
  readonly statementMs?: number
  /** The client gives the connection up after this time without an answer. Default: `statementMs` and 5 s. */
  readonly answerMs?: number
}

/** Settings that this service relies on. A URL could set them too, and pg would prefer those of the URL. */
const ownSettings = [
  'application_name',
  'options',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'query_timeout',
]

/** The URL without those settings, and the `options` it had: some servers tell databases apart by them. */
const withoutSettings = (url: string): { readonly connectionString: string; readonly given: string } => {
  const parsed = new URL(url)
  const given = parsed.searchParams.get('options') ?? ''
  for (const name of ownSettings) parsed.searchParams.delete(name)
  return { connectionString: parsed.href, given }
}

/**
 * How to connect to `url` (a PostgreSQL connection string) with our settings. A frozen process would keep its row locks,
 * so the server ends a transaction that is idle for 5 s. Against a server that has fallen silent each statement has a
 * time limit and an idle connection is probed. JIT costs more than it saves with these statements.
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
    // Of two values of one setting the last one counts.
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
  /** Called when a connection breaks, in use or not. The pool goes on without it. */
  readonly onError: (error: Error) => void
  /** Looks at each new connection before it is used. One that it throws for is closed, and so is the request for it. */
  readonly meet?: Meet
}

export type Meet = (client: ClientBase) => Promise<void>

// Without it a commit that was answered could be lost when the server crashes or a standby takes over.
const waitForCommits = `
  select set_config('synchronous_commit', 'on', false)
  where current_setting('synchronous_commit') in ('off', 'local', 'remote_write')`

/** A commit is answered when it is durable, whatever the database or the role has set. More than that stays. */
export const startSession = async (client: ClientBase): Promise<void> => {
  await client.query(waitForCommits)
}

/** A pool whose connections look into the journal's schema. */
export const createPool = (url: string, { max, onError, meet, ...session }: PoolOptions): Pool => {
  const onConnect = async (client: ClientBase): Promise<void> => {
    await startSession(client)
    await meet?.(client)
  }
  const pool = new Pool({ ...sessionConfig(url, session), max, onConnect })
  pool.on('error', onError)
  // The pool does not listen to a connection in use. Without a listener its loss would end the process.
  pool.on('connect', (client: PoolClient) => client.on('error', onError))
  return pool
}

/** A server that is well answers within milliseconds, so this question may give up earlier than a flow does, ms. */
const answerWithinMs = 3_000

/**
 * Asks the server for a sign of life; false if it gives none within 3 s. Questions asked at the same time share one
 * connection, so that a silent server does not use up the pool.
 */
export const createAnswers = (pool: Pick<Pool, 'query'>): (() => Promise<boolean>) => {
  let underWay: Promise<boolean> | null = null
  const ask = async (): Promise<boolean> => {
    try {
      await pool.query('select 1')
      return true
    } catch {
      return false
    } finally {
      underWay = null
    }
  }
  return async () => {
    underWay ??= ask()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>(resolve => {
      timer = setTimeout(() => resolve(false), answerWithinMs)
    })
    try {
      return await Promise.race([underWay, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** PostgreSQL cuts the name of a session after this many characters. */
const maxSessionName = 63

/** The name of all sessions of a replica. The next holder of the lease finds them by it and ends them. */
export const sessionNameOf = (holder: string): string => `${applicationName}/${holder}`

/**
 * The name of a replica: host and process for people, and `unique` (letters and digits) so that no other process has the
 * same name. It fits into the name of a session.
 */
export const holderName = (host: string, pid: number, unique: string): string => {
  const rest = `/${pid}/${unique}`
  // The server replaces every character that is not ASCII, so the name would not be found again.
  const plain = host.replace(/[^!-~]/g, '?')
  return plain.slice(0, maxSessionName - sessionNameOf(rest).length) + rest
}
