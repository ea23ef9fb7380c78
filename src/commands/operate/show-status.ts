/** `device-move status`: the database's word, and the running service's where it answers. */

import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../../app/config'
import { type ProcessStatus, type Status, statusOf } from '../../health/status'
import { ifReachable } from '../../postgres/session/transaction'
import { type DatabaseStatus, type RouteStatus, readDatabaseStatus } from '../../postgres/status/read-status'
import { type DatabaseFlags, withDatabase } from '../database'
import { exitCode } from '../exit-code'
import { firstSignal } from '../process-end'

const number = (value: number): string => value.toLocaleString('en-US')

/** Columns as wide as their widest cell; numbers to the right. */
const table = (rows: readonly (readonly (string | number)[])[]): string[] => {
  const texts = rows.map(row => row.map(cell => (typeof cell === 'number' ? number(cell) : cell)))
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...texts.map(row => row[at]?.length ?? 0)))
  return texts.map((row, line) =>
    row
      .map((cell, at) =>
        typeof rows[Math.max(line, 1)]?.[at] === 'number'
          ? cell.padStart(widths[at] ?? 0)
          : cell.padEnd(widths[at] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
}

const etaText = ({ heldAt, blockedByBatch, eta }: RouteStatus): string => {
  if (heldAt !== null) return 'held'
  return blockedByBatch === null ? (eta ?? '') : `waits for batch ${blockedByBatch}`
}

const ofDatabase = ({ moves, lease, routes, openJobs, failures, unpublished }: DatabaseStatus): string[] => {
  const open = Object.entries(openJobs).map(([status, count]) => `${count} ${status}`)
  const states = [
    'pending',
    'in_flight',
    'retrying',
    'held',
    'moved',
    'failed',
    'rejected',
    'superseded',
  ] as const
  return [
    `lease        ${lease.holder ?? 'nobody holds it'}`,
    `moves        ${states.map(state => `${number(moves[state])} ${state.replace('_', ' ')}`).join(', ')}; gap ${moves.gap}`,
    `jobs         ${open.length === 0 ? 'none open' : open.join(', ')}`,
    `unpublished  ${number(unpublished)} outcomes`,
    ...(routes.length === 0
      ? []
      : [
          '',
          ...table([
            [
              'route',
              'product',
              'from',
              'to',
              'priority',
              'pending',
              'in flight',
              'retrying',
              'in held jobs',
              'eta',
            ],
            ...routes.map(route => [
              ...[
                String(route.routeId),
                route.productKey,
                route.sourceInstanceId,
                route.targetInstanceIds.join(' '),
              ],
              ...[route.priority, route.pending, route.inFlight, route.retrying, route.inHeldJobs],
              etaText(route),
            ]),
          ]),
        ]),
    ...(failures.length === 0
      ? []
      : [
          '',
          ...table([
            ['failures in 24 h', 'outcomes', 'final'],
            ...failures.map(({ code, outcomes, final }) => [code, outcomes, final]),
          ]),
        ]),
  ]
}

/** Only the process that drives knows them. */
const slotsAndQuota = ({ lease, openJobs, quota }: ProcessStatus, driver: string | null): string[] => {
  if (lease === 'standing-by')
    return [
      `stand-by     slots and quota are the driver's: ${driver === null ? 'none is known' : `ask ${driver}`}`,
    ]
  const calls = Object.entries(quota?.perOperation ?? {}).map(([operation, used]) => `${operation} ${used}`)
  return [
    `slots        ${openJobs === null ? 'not known yet' : `${openJobs.own} ours, ${openJobs.foreign} not ours, of ${openJobs.capacity}`}`,
    ...(quota === null ? [] : [`quota        ${quota.shared} calls in use (${calls.join(', ')})`]),
  ]
}

const ofProcess = (process: ProcessStatus, driver: string | null): string[] => {
  const { flows } = process
  return [
    `flows        ${Object.entries(flows)
      .map(([flow, { state }]) => `${flow} ${state}`)
      .join(', ')}`,
    ...slotsAndQuota(process, driver),
  ]
}

/** For people: a few lines, the routes, and why nothing is moving. */
export const statusText = ({ database, process, because, moving }: Status): string =>
  [
    ...(process === null
      ? ['service      none answers at HTTP_HOST:HTTP_PORT']
      : ofProcess(process, database?.lease.holder ?? process.holder)),
    ...(database === null ? [] : ofDatabase(database)),
    '',
    ...(because.length === 0
      ? [moving ? 'Moving.' : 'Nothing is under way.']
      : [moving ? 'Moving, but:' : 'Not moving:', ...because.map(reason => `  - ${reason}`)]),
  ].join('\n')

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
