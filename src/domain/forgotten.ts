/**
 * Jobs at the provider that a database has forgotten, since it was restored from an older copy: which listed jobs these
 * may be, and what their result files tell of moves that are pending again.
 */
import { classifyDeviceCode, type DeviceResult } from './device-results'
import type { BatchMove } from './job'
import type { Verdict } from './outcome'
import { type ListedLike, lookAlikeKey } from './reconcile'
import type { RouteFields } from './route'
import { deriveVerdicts } from './settlement'

/** A listed job that the database does not know. It may be one of ours, or somebody else's. */
export interface ForgottenJob extends ListedLike {
  /** 0 initialising, 1 running, 2 completed, 3 interrupted, when it was listed. */
  readonly status: 0 | 1 | 2 | 3
}

/** The clocks of the provider, of the database and of whoever stamps requests may differ by this much, ms. */
const clockSkewMs = 30_000

/**
 * So many of the newest known jobs may be younger than the restore: a driver may have created them on the restored
 * database before anybody noticed. There are at most ten slots by default, and the loss is noticed within a minute.
 */
export const lateJobs = 100

/**
 * Whether a listed job may be one that the restored database has forgotten. `knownAt` is when the newest job was created
 * that was certainly known before the restore, by the database's clock; null: there is no such job. Whatever the database
 * has forgotten was created after that.
 */
export const mayBeForgotten = ({ createdAt }: ListedLike, knownAt: number | null): boolean =>
  knownAt === null || createdAt >= knownAt - clockSkewMs

/** Whether a listed job may carry moves of a route. Targets that List does not show may be the route's. */
export const looksLike = (job: ListedLike, route: RouteFields): boolean => {
  const { targetInstanceIds } = job.targetInstanceIds.length > 0 ? job : route
  return lookAlikeKey({ ...job, targetInstanceIds }) === lookAlikeKey(route)
}

/** What the file of a forgotten job says of one device. */
export interface ForgottenResult extends DeviceResult {
  readonly providerJobId: string
  /** When its job was created, by the provider's clock, ms since 1970. */
  readonly createdAt: number
  readonly deviceName: string
  /** It has told of a move before. */
  readonly isUsed: boolean
}

/** A move of the range that would be sent now. */
export interface PendingMove extends BatchMove {
  /** Place in the order in which moves were accepted. */
  readonly acceptedOrder: bigint
  /** Time of its record, ms since 1970. */
  readonly recordedAt: number
}

export interface ToldMove {
  readonly move: PendingMove
  readonly by: ForgottenResult
}

/**
 * What tells of a move: of the results of its device that were not used yet, the one of the job created first. A result
 * that was used tells again only that the device has moved: several requests of a device may have been sent together. A
 * job that is older than the request says nothing of it.
 */
const tellingOf = (
  move: PendingMove,
  results: readonly ForgottenResult[],
  used: ReadonlySet<ForgottenResult>,
): ForgottenResult | undefined => {
  const fitting = results.filter(({ createdAt }) => move.recordedAt <= createdAt + clockSkewMs)
  const isUsed = (result: ForgottenResult): boolean => result.isUsed || used.has(result)
  return (
    fitting.find(result => !isUsed(result)) ??
    fitting.findLast(({ code }) => classifyDeviceCode(code) === 'moved')
  )
}

const byCreation = (a: ForgottenResult, b: ForgottenResult): number =>
  a.createdAt - b.createdAt || (a.providerJobId < b.providerJobId ? -1 : 1)

/**
 * The moves of which a forgotten job tells, in the order of acceptance. `results` are those of jobs that look like the
 * route. The requests of a device are matched with its jobs in order: what tells of one is at least as new as what told
 * of the one before.
 */
export const tellMoves = (
  moves: readonly PendingMove[],
  results: readonly ForgottenResult[],
): readonly ToldMove[] => {
  const resultsOf = new Map<string, ForgottenResult[]>()
  for (const result of [...results].sort(byCreation)) {
    const before = resultsOf.get(result.deviceName)
    if (before === undefined) resultsOf.set(result.deviceName, [result])
    else before.push(result)
  }
  const used = new Set<ForgottenResult>()
  const ordered = moves
    .filter(({ deviceName }) => resultsOf.has(deviceName))
    .sort((a, b) => (a.acceptedOrder < b.acceptedOrder ? -1 : 1))
  return ordered.flatMap(move => {
    const ofDevice = resultsOf.get(move.deviceName) ?? []
    const by = tellingOf(move, ofDevice, used)
    if (by === undefined) return []
    used.add(by)
    resultsOf.set(move.deviceName, ofDevice.slice(ofDevice.indexOf(by)))
    return [{ move, by }]
  })
}

/** The verdicts of told moves. What failed and may be tried again is due at once, since its failure is long past. */
export const toldVerdicts = (told: readonly ToldMove[], maxAttempts: number): readonly Verdict[] =>
  told.flatMap(
    ({ move, by }) =>
      deriveVerdicts({
        moves: [move],
        rows: new Map([[move.deviceName, by]]),
        fates: new Map(),
        ended: 'completed',
        policy: { maxAttempts, backoffMs: 0, backoffMaxMs: 0 },
        classify: classifyDeviceCode,
        random: () => 0,
      }).verdicts,
  )
