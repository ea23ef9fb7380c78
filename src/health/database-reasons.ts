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

const heldRoutes: Reasons = ({ routes, heldJobs: held }) =>
  routes.flatMap(({ routeId, pending, retrying, heldAt, heldReason, heldRetryAt }) => {
    if (heldAt === null) return []
    const unsent = held.filter(job => job.withRoute && job.routeId === routeId)
    const moves = unsent.reduce((sum, job) => sum + job.moves, pending + retrying)
    const retry = heldRetryAt === null ? '' : `; one batch is tried at ${heldRetryAt}`
    return [`route ${routeId} is held (${plural(moves, 'move')}): ${heldReason}${retry}`]
  })

const heldJobs: Reasons = database =>
  database.heldJobs
    .filter(job => !job.withRoute)
    .map(job => `${batchText(job.batchId, job.routeId, job.moves)} is held: ${job.heldReason}`)

const searches: Reasons = ({ searches: all }) =>
  all === null || all.devices === 0
    ? []
    : [
        `${plural(all.devices, 'device')} are searched for those that the provider refuses, in ${all.pieces} pieces and ` +
          `after ${plural(all.creates, 'create')}: other work goes first`,
      ]

const troubledJobs: Reasons = database => database.troubledJobs.map(jobTroubleText)

const overdueJobs: Reasons = database => database.overdueJobs.map(overdueJobText)

const lookUps: Reasons = database => (database.lookUps === null ? [] : [lookUpsText(database.lookUps)])

const blockedRoutes: Reasons = ({ routes }) => blockedTexts(routes)

const forgottenJobs: Reasons = ({ forgotten: { isUnlisted, listError, unread, held } }) => [
  ...(isUnlisted
    ? [
        `nothing is sent before the jobs that were made since the backup are listed${
          listError === null
            ? ''
            : `: ${listError}; \`device-move resolve restore --absent\` goes on without them`
        }`,
      ]
    : []),
  ...(unread > 0
    ? [`${plural(unread, 'job')} made since the backup are read first; routes that look like them wait`]
    : []),
  ...held.map(
    ({ jobId, devices, why }) =>
      `job ${jobId} (${plural(devices, 'device')}), made since the backup, cannot be read: ${why}; routes that look like ` +
      `it wait: \`device-move resolve ${jobId} --again\` asks once more, --absent sends what it does not tell of`,
  ),
]

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
  searches,
  troubledJobs,
  overdueJobs,
  lookUps,
  blockedRoutes,
  forgottenJobs,
  unnamedRoutes,
  onlyRetries,
]

export const databaseReasons = (database: DatabaseStatus): string[] =>
  all.flatMap(reasonsOf => reasonsOf(database))
