/** `device-move status`: the database's word, and the running service's where it answers. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../config'
import { ifReachable } from '../postgres/if-reachable'
import { type DatabaseStatus, readDatabaseStatus } from '../postgres/read-status'
import { type Status, statusOf } from '../status'
import { exitCode } from './exit-code'
import { firstSignal } from './first-signal'
import { statusText } from './status-text'
import { type DatabaseFlags, withDatabase } from './with-database'

export interface StatusFlags extends DatabaseFlags {
  readonly json?: boolean
  readonly watch?: boolean
}

const serviceWithinMs = 4_000
const watchEveryMs = 2_000

/** What a service at HTTP_HOST:HTTP_PORT answers; null if there is none. */
const askService = async ({ httpHost, httpPort }: Config): Promise<Status | null> => {
  const host = httpHost.includes(':') ? `[${httpHost}]` : httpHost
  try {
    const answer = await fetch(`http://${host}:${httpPort}/api/status`, {
      signal: AbortSignal.timeout(serviceWithinMs),
    })
    return answer.ok ? ((await answer.json()) as Status) : null
  } catch {
    // Nobody there: the database alone can tell most of it.
    return null
  }
}

/** What lies in a database, and what the service that works on it says of itself, if one can be asked. */
const statusNow = async (
  read: () => Promise<DatabaseStatus | null>,
  service: Config | null,
): Promise<Status> => {
  const answered = service === null || service.httpPort === 0 ? null : await askService(service)
  // Another deployment's service may listen there: the database asked here has the last word on what lies in it.
  return statusOf(new Date(), await read(), answered?.process ?? null)
}

export const statusCommand = ({ json = false, watch = false, ...flags }: StatusFlags): Promise<number> =>
  withDatabase(flags, async (pool, config) => {
    const stop = new AbortController()
    // No service works on the database of a `move`.
    const service = flags.dataDir === undefined ? config : null
    const show = async (read: () => Promise<DatabaseStatus | null>): Promise<void> => {
      const status = await statusNow(read, service)
      if (watch && process.stdout.isTTY && !json) process.stdout.write('\u001b[2J\u001b[H')
      console.log(json ? JSON.stringify(status, null, watch ? 0 : 2) : statusText(status))
    }
    if (watch) firstSignal().then(() => stop.abort())
    await show(() => readDatabaseStatus(pool))
    while (watch && !stop.signal.aborted) {
      await pause(watchEveryMs, undefined, { signal: stop.signal }).catch(() => undefined)
      // It was there before: it may come back.
      if (!stop.signal.aborted) await show(() => ifReachable(readDatabaseStatus(pool)))
    }
    return exitCode.done
  })
