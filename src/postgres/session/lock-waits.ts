/** Says which sessions another session waits for, so that somebody can end them or wait for them. */
import { Client, type ClientConfig } from 'pg'

interface Blocker {
  readonly pid: number
  readonly application: string
  readonly login: string
  readonly state: string
  readonly since: string
}

// Of sessions of other logins a plain login sees the process id and the names only.
const selectBlockers = `
  select b.pid, coalesce(nullif(b.application_name, ''), 'unnamed') as application, coalesce(b.usename, '') as login,
         coalesce(b.state, 'state not shown to this login') as state,
         coalesce(to_char(b.xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'unknown') as since
  from unnest(pg_blocking_pids($1)) as p (pid) join pg_stat_activity b on b.pid = p.pid
  order by b.xact_start nulls last, b.pid`

const described = ({ pid, application, login, state, since }: Blocker): string =>
  `session ${pid} (${application}, login ${login}, ${state}, its transaction began: ${since})`

/** The sessions that keep session `pid` waiting, as a text; null if it waits for none at this moment. */
const blockersOf = async (config: ClientConfig, pid: number): Promise<string | null> => {
  const client = new Client(config)
  // A lost connection fails the query on it.
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<Blocker>(selectBlockers, [pid])
    return rows.length === 0 ? null : rows.map(described).join(', ')
  } finally {
    await client.end()
  }
}

/** Time until the first look, and between looks, ms. The first comes before a wait for a lock is given up. */
const firstLookMs = 500
const lookEveryMs = 30_000

/**
 * Looks while `work` runs, from a second connection, which sessions keep session `pid` waiting, and says so. What is to be
 * said must not fail what is done: a look that fails says nothing.
 */
export const sayingBlockers = async <T>(
  config: ClientConfig,
  pid: number,
  say: (blockers: string) => void,
  work: () => Promise<T>,
): Promise<T> => {
  let looking: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  const look = (inMs: number): void => {
    timer = setTimeout(() => {
      looking = blockersOf(config, pid)
        .then(
          blockers => {
            if (blockers !== null) say(blockers)
          },
          () => undefined,
        )
        .then(() => (timer === undefined ? undefined : look(lookEveryMs)))
    }, inMs)
  }
  look(firstLookMs)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
    timer = undefined
    await looking
  }
}
