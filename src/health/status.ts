/** What `status` prints and `/api/status` answers: how the work stands, and why nothing is moving when nothing is. */
import type { SourceHealth } from '../ports/request-source'
import type { DatabaseStatus } from '../postgres/status/read-status'
import { batchText, blockedTexts, jobTroubleText, plural } from './job-troubles'
import type { ServiceStatus } from './readiness'

/** What only the running process knows. */
export interface ProcessStatus extends ServiceStatus {
  readonly source: SourceHealth
}

export interface Status {
  readonly at: string
  /** Jobs without a problem are open, or being created or settled; a process drives, and the provider answers. */
  readonly moving: boolean
  /** Why nothing is moving, or not everything that could. Empty when all is well, or nothing waits. */
  readonly because: readonly string[]
  /** null: the database does not answer. */
  readonly database: DatabaseStatus | null
  /** null: no service answered. */
  readonly process: ProcessStatus | null
}

const ofProcess = ({ flows, source, accountRefused, openJobs }: ProcessStatus): string[] => {
  const reasons: string[] = []
  for (const [flow, { problem, state }] of Object.entries(flows))
    if (problem !== null && state !== 'standing-by')
      reasons.push(state === 'stopped' ? problem : `${flow}: ${problem}`)
  if (source.state === 'failed' || source.state === 'starting')
    reasons.push(`intake: ${source.reason ?? 'partitions of the requests topic are not assigned yet'}`)
  if (accountRefused !== null)
    reasons.push(
      `the provider refuses the account: ${accountRefused.code} (${accountRefused.operation}); keys, clock, permissions, bill`,
    )
  if (openJobs?.own === 0 && openJobs.foreign >= openJobs.capacity)
    reasons.push(`all ${openJobs.capacity} slots are taken by jobs that are not ours`)
  return reasons
}

const ofDatabase = (
  { lease, routes, heldJobs, troubledJobs, moves, nextRetryAt }: DatabaseStatus,
  isUnderWay: boolean,
): string[] => {
  const reasons: string[] = []
  const waiting = moves.pending + moves.retrying + moves.in_flight
  if (waiting > 0 && lease.holder === null) reasons.push('no process holds the lease: start the service')
  for (const route of routes)
    if (route.heldAt !== null)
      reasons.push(
        `route ${route.routeId} is held (${plural(route.pending + route.retrying, 'move')}): ${route.heldReason}`,
      )
  for (const job of heldJobs)
    reasons.push(`${batchText(job.batchId, job.routeId, job.moves)} is held: ${job.heldReason}`)
  reasons.push(...troubledJobs.map(jobTroubleText), ...blockedTexts(routes))
  if (!isUnderWay && moves.pending === 0 && moves.retrying > 0)
    reasons.push(
      `${plural(moves.retrying, 'move')} wait for their next attempt, the first until ${nextRetryAt ?? 'another has ended'}`,
    )
  return reasons
}

export const statusOf = (
  at: Date,
  database: DatabaseStatus | null,
  process: ProcessStatus | null,
): Status => {
  const open = database === null ? 0 : Object.values(database.openJobs).reduce((sum, count) => sum + count, 0)
  const [held, troubled] = [database?.heldJobs.length ?? 0, database?.troubledJobs.length ?? 0]
  const isUnderWay = open > held
  const isDriven =
    (database?.lease.holder ?? null) !== null &&
    process?.flows.drive.state !== 'stopped' &&
    (process?.provider ?? null) === null
  const moving = open > held + troubled && isDriven
  const because = [
    ...(database === null ? ['the database does not answer'] : []),
    ...(process === null ? [] : ofProcess(process)),
    ...(database === null ? [] : ofDatabase(database, isUnderWay)),
  ]
  // All flows name the same problem when the database was restored, and it is listed once.
  return { at: at.toISOString(), moving, because: [...new Set(because)], database, process }
}
