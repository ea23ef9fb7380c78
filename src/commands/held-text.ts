import type { Resolution } from '../domain/resolution'
import { batchText } from '../job-troubles'
import type { HeldJobStatus } from '../postgres/read-open-jobs'
import type { RouteStatus } from '../postgres/read-status'

export interface HeldInput {
  readonly heldJobs: readonly HeldJobStatus[]
  readonly routes: readonly RouteStatus[]
  /** null: the database is that of DATABASE_URL. */
  readonly dataDir: string | null
}

const answers: Readonly<Record<Resolution['kind'], readonly [flag: string, meaning: string]>> = {
  adopt: ['--adopt JOB_ID', 'the job is at the provider under this JobId'],
  absent: ['--absent', 'the provider has no such job: its devices are sent again'],
  again: ['--again', 'the cause is gone: the step it is held at is tried once more'],
  fail: ['--fail', 'its devices fail for good'],
}

/** For a shell. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** What somebody has to do before the rest of a list can end: each held job and route, why, and the commands. */
export const heldText = ({ heldJobs, routes, dataDir }: HeldInput): string => {
  const where = dataDir === null ? '' : ` --data-dir ${quoted(dataDir)}`
  const ofJob = ({ batchId, routeId, moves, heldReason, resolutions }: HeldJobStatus): string[] => [
    `${batchText(batchId, routeId, moves)} is held: ${heldReason}`,
    ...resolutions.map(
      kind => `  device-move resolve ${batchId}${where} ${answers[kind][0].padEnd(14)}  ${answers[kind][1]}`,
    ),
  ]
  const ofRoute = ({ routeId, heldReason }: RouteStatus): string[] => [
    `route ${routeId} is held: ${heldReason}`,
    `  device-move release ${routeId}${where}`,
  ]
  return [
    'Moves that are held wait for somebody (docs/operations.md, "A held job"):',
    ...heldJobs.flatMap(ofJob),
    ...routes.filter(({ heldAt }) => heldAt !== null).flatMap(ofRoute),
    'Then start the same command again.',
  ]
    .map(line => `  ${line}\n`)
    .join('')
}
