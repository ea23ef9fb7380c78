/** `device-move status`: what the database says, and what the running service says where it answers. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../../app/config'
import { readNow, type Status, statusOf } from '../../health/status'
import { ifReachable } from '../../postgres/session/transaction'
import { type DatabaseStatus, readDatabaseStatus } from '../../postgres/status/read-status'
import { type DatabaseFlags, withDatabase } from '../database'
import { exitCode } from '../exit-code'
import { firstSignal } from '../process-end'
import { statusText } from './status-text'

/** A service has this long to answer, ms. It waits for its database for most of that. */
const serviceWithinMs = 10_000
/** With --watch the status is shown this often, ms. */
const watchEveryMs = 2_000

export interface StatusFlags extends DatabaseFlags {
  readonly json?: boolean
  readonly watch?: boolean
}

/** What the service at HTTP_HOST:HTTP_PORT answers; null if none answers. */
const askService = async ({ httpHost, httpPort }: Config): Promise<Status | null> => {
  const host = httpHost.includes(':') ? `[${httpHost}]` : httpHost
  try {
    const answer = await fetch(`http://${host}:${httpPort}/api/status`, {
      signal: AbortSignal.timeout(serviceWithinMs),
    })
    return answer.ok ? ((await answer.json()) as Status) : null
  } catch {
    // No service listens there. The database alone tells most of the status.
    return null
  }
}

/** The state of the database, and what the service that works on it says of itself, if one can be asked. */
const statusNow = async (
  read: () => Promise<DatabaseStatus | null>,
  service: Config | null,
): Promise<Status> => {
  const answered = service === null || service.httpPort === 0 ? null : await askService(service)
  // The service of another deployment may listen there, so only what it says of its process is taken.
  return statusOf(new Date(), readNow(await read()), answered?.process ?? null)
}

export const statusCommand = ({ json = false, watch = false, ...flags }: StatusFlags): Promise<number> =>
  withDatabase(flags, async (pool, config) => {
    const stop = new AbortController()
    // A database of `move` has no service.
    const service = flags.dataDir === undefined ? config : null
    const show = async (read: () => Promise<DatabaseStatus | null>): Promise<void> => {
      const status = await statusNow(read, service)
      if (watch && process.stdout.isTTY && !json) process.stdout.write('\u001b[2J\u001b[H')
      console.log(json ? JSON.stringify(status, null, watch ? 0 : 2) : statusText(status))
    }
    if (watch) firstSignal().then(() => stop.abort())
    const read = () => readDatabaseStatus(pool, { overdueFactor: config.jobOverdueFactor })
    await show(read)
    while (watch && !stop.signal.aborted) {
      await pause(watchEveryMs, undefined, { signal: stop.signal }).catch(() => undefined)
      // The database has answered before, so a watch goes on while it is away.
      if (!stop.signal.aborted) await show(() => ifReachable(read()))
    }
    return exitCode.done
  })
