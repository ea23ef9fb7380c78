/** `device-move status`: the database's word, and the running service's where it answers. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../config'
import { createPool, type Pool } from '../postgres/pool'
import { readDatabaseStatus } from '../postgres/read-status'
import { type Status, statusOf } from '../status'
import { configured } from './configured'
import { databaseProblem } from './database-problem'
import { exitCode } from './exit-code'
import { firstSignal } from './first-signal'
import { statusText } from './status-text'

export interface StatusFlags {
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

const statusNow = async (config: Config, pool: Pool): Promise<Status> => {
  const answered = config.httpPort === 0 ? null : await askService(config)
  // Another deployment's service may listen there: the database asked here has the last word on what lies in it.
  return statusOf(new Date(), await readDatabaseStatus(pool), answered?.process ?? null)
}

export const statusCommand = async ({ json = false, watch = false }: StatusFlags): Promise<number> => {
  const config = configured(['databaseUrl'])
  const url = config.databaseUrl ?? ''
  const pool = createPool(url, { max: 1, onError: () => undefined })
  const stop = new AbortController()
  const show = async (): Promise<void> => {
    const status = await statusNow(config, pool)
    if (watch && process.stdout.isTTY && !json) process.stdout.write('\u001b[2J\u001b[H')
    console.log(json ? JSON.stringify(status, null, watch ? 0 : 2) : statusText(status))
  }
  try {
    if (watch) firstSignal().then(() => stop.abort())
    await show()
    while (watch && !stop.signal.aborted) {
      await pause(watchEveryMs, undefined, { signal: stop.signal }).catch(() => undefined)
      if (!stop.signal.aborted) await show()
    }
    return exitCode.done
  } catch (error) {
    throw databaseProblem(error, url)
  } finally {
    await pool.end()
  }
}
