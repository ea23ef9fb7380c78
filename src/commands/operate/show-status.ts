/** `device-move status`: what the database says, and what the running service says where it answers. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../../app/config'
import { type ProcessStatus, type Status, statusOf } from '../../health/status'
import { ifReachable } from '../../postgres/session/transaction'
import { type DatabaseStatus, type RouteStatus, readDatabaseStatus } from '../../postgres/status/read-status'
import { type DatabaseFlags, withDatabase } from '../database'
import { exitCode } from '../exit-code'
import { firstSignal } from '../process-end'
import { grouped, table } from '../table'

/** A service has this long to answer, ms. */
const serviceWithinMs = 4_000
/** With --watch the status is shown this often, ms. */
const watchEveryMs = 2_000

const stateNames = [
  'pending',
  'in_flight',
  'retrying',
  'held',
  'moved',
  'failed',
  'rejected',
  'superseded',
] as const

const etaText = ({ heldAt, blockedByBatch, eta }: RouteStatus): string => {
  if (heldAt !== null) return 'held'
  return blockedByBatch === null ? (eta ?? '') : `waits for batch ${blockedByBatch}`
}

const routeTable = (routes: readonly RouteStatus[]): string[] =>
  table([
    ['route', 'product', 'from', 'to', 'priority', 'pending', 'in flight', 'retrying', 'in held jobs', 'eta'],
    ...routes.map(route => [
      String(route.routeId),
      route.productKey,
      route.sourceInstanceId,
      route.targetInstanceIds.join(' '),
      route.priority,
      route.pending,
      route.inFlight,
      route.retrying,
      route.inHeldJobs,
      etaText(route),
    ]),
  ])

const failureTable = (failures: DatabaseStatus['failures']): string[] =>
  table([
    ['failures in 24 h', 'outcomes', 'final'],
    ...failures.map(({ code, outcomes, final }) => [code, outcomes, final]),
  ])

const ofDatabase = ({ moves, lease, routes, openJobs, failures, unpublished }: DatabaseStatus): string[] => {
  const states = stateNames.map(state => `${grouped(moves[state])} ${state.replace('_', ' ')}`)
  const open = Object.entries(openJobs).map(([status, count]) => `${count} ${status}`)
  return [
    `lease        ${lease.holder ?? 'nobody holds it'}`,
    `moves        ${states.join(', ')}; gap ${moves.gap}`,
    `jobs         ${open.length === 0 ? 'none open' : open.join(', ')}`,
    `unpublished  ${grouped(unpublished)} outcomes`,
    ...(routes.length === 0 ? [] : ['', ...routeTable(routes)]),
    ...(failures.length === 0 ? [] : ['', ...failureTable(failures)]),
  ]
}

/** Only the process that drives knows slots and quota; `driver` is its name. */
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

/** The status for people: a few lines, the routes, and why nothing is moving. */
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
  return statusOf(new Date(), await read(), answered?.process ?? null)
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
    await show(() => readDatabaseStatus(pool))
    while (watch && !stop.signal.aborted) {
      await pause(watchEveryMs, undefined, { signal: stop.signal }).catch(() => undefined)
      // The database has answered before, so a watch goes on while it is away.
      if (!stop.signal.aborted) await show(() => ifReachable(readDatabaseStatus(pool)))
    }
    return exitCode.done
  })
