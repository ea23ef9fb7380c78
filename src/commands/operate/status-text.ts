/** The status as text for people: a few lines, the routes, the failures, and why nothing is moving. */
import { lookUpsPace } from '../../health/job-troubles'
import type { ProcessStatus } from '../../health/readiness'
import type { Status } from '../../health/status'
import type { RouteCounts, RouteStatus } from '../../postgres/status/read-routes'
import type { DatabaseStatus } from '../../postgres/status/read-status'
import { grouped, table } from '../table'

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

/** Routes with work to do that the table does not show. */
const moreRoutes = (routes: readonly RouteStatus[], { withWork }: RouteCounts): string[] => {
  const shown = routes.filter(
    ({ pending, inFlight, retrying, inHeldJobs }) => pending + inFlight + retrying + inHeldJobs > 0,
  ).length
  return withWork > shown ? [`and ${grouped(withWork - shown)} more routes with work to do`] : []
}

const failureTable = (failures: DatabaseStatus['failures']): string[] =>
  table([
    ['failures in 24 h', 'outcomes', 'final'],
    ...failures.map(({ code, outcomes, final }) => [code, outcomes, final]),
  ])

const ofDatabase = (database: DatabaseStatus): string[] => {
  const { moves, lease, routes, openJobs, failures, unpublished, lookUps, lostRecords } = database
  const states = stateNames.map(state => `${grouped(moves[state])} ${state.replace('_', ' ')}`)
  const open = Object.entries(openJobs).map(([status, count]) => `${count} ${status}`)
  return [
    `lease        ${lease.holder ?? 'nobody holds it'}`,
    `moves        ${states.join(', ')}; gap ${moves.gap}`,
    `jobs         ${open.length === 0 ? 'none open' : open.join(', ')}`,
    ...(lookUps === null
      ? []
      : [
          `look-ups     ${grouped(lookUps.moves)} moves of ${lookUps.jobs} jobs wait; ${lookUpsPace(lookUps)}`,
        ]),
    `unpublished  ${grouped(unpublished)} outcomes`,
    ...(lostRecords.length === 0
      ? []
      : [
          `lost         ${lostRecords.map(({ topic, partition, records }) => `${grouped(records)} records of ${topic}/${partition}`).join(', ')}`,
        ]),
    ...(routes.length === 0 ? [] : ['', ...routeTable(routes), ...moreRoutes(routes, database.routeCounts)]),
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
