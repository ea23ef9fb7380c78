/** Why not everything moves that the database holds, as sentences for people. */
import type { DatabaseStatus } from '../postgres/status/read-status'
import { batchText, blockedTexts, jobTroubleText, lookUpsText, overdueJobText, plural } from './job-troubles'

/** Sentences about one kind of reason. None: there is no such reason. */
type Reasons = (database: DatabaseStatus) => readonly string[]

const nobodyDrives: Reasons = ({ lease, moves }) =>
  moves.pending + moves.retrying + moves.in_flight > 0 && lease.holder === null
    ? ['no process holds the lease: start the service']
    : []

/** How many there are besides those that are named. */
const andMore = (all: number, named: number, what: string): string[] =>
  all > named ? [`${all - named} more routes are ${what} (see device_move.routes)`] : []

const lostRecords: Reasons = ({ lostRecords: lost }) =>
  lost.map(
    ({ topic, partition, records, lastAt }) =>
      `${plural(records, 'record')} of ${topic}/${partition} ${records === 1 ? 'was' : 'were'} deleted from Kafka before ` +
      `the service had read ${records === 1 ? 'it' : 'them'}${lastAt === null ? '' : ` (noticed at ${lastAt})`}: ` +
      'have these requests sent again, and raise retention.ms and retention.bytes of the topic',
  )

const heldRoutes: Reasons = ({ routes }) =>
  routes.flatMap(({ routeId, pending, retrying, heldAt, heldReason, heldRetryAt }) =>
    heldAt === null
      ? []
      : [
          `route ${routeId} is held (${plural(pending + retrying, 'move')}): ${heldReason}${heldRetryAt === null ? '' : `; one batch is tried at ${heldRetryAt}`}`,
        ],
  )

const heldJobs: Reasons = database =>
  database.heldJobs.map(job => `${batchText(job.batchId, job.routeId, job.moves)} is held: ${job.heldReason}`)

const troubledJobs: Reasons = database => database.troubledJobs.map(jobTroubleText)

const overdueJobs: Reasons = database => database.overdueJobs.map(overdueJobText)

const lookUps: Reasons = database => (database.lookUps === null ? [] : [lookUpsText(database.lookUps)])

const blockedRoutes: Reasons = ({ routes }) => blockedTexts(routes)

const unnamedRoutes: Reasons = ({ routes, routeCounts }) => {
  const held = routes.filter(({ heldAt }) => heldAt !== null).length
  const blocked = routes.filter(
    ({ blockedByBatch, pending, retrying }) => blockedByBatch !== null && pending + retrying > 0,
  ).length
  return [
    ...andMore(routeCounts.held, held, 'held'),
    ...andMore(routeCounts.blocked, blocked, 'blocked by a batch'),
  ]
}

/** Nothing but waiting for the next attempt is left to do. */
const onlyRetries: Reasons = ({ moves, nextRetryAt, openJobs, heldJobs: held }) => {
  const open = Object.values(openJobs).reduce((sum, count) => sum + count, 0)
  if (open > held.length || moves.pending > 0 || moves.retrying === 0) return []
  return [
    `${plural(moves.retrying, 'move')} wait for their next attempt, the first until ${nextRetryAt ?? 'another has ended'}`,
  ]
}

/** In the order in which people read them. */
const all: readonly Reasons[] = [
  nobodyDrives,
  lostRecords,
  heldRoutes,
  heldJobs,
  troubledJobs,
  overdueJobs,
  lookUps,
  blockedRoutes,
  unnamedRoutes,
  onlyRetries,
]

export const databaseReasons = (database: DatabaseStatus): string[] =>
  all.flatMap(reasonsOf => reasonsOf(database))
