/** The end of a run for people: what became of each device, what it cost, and what is left for them to do. */
import type { Resolution } from '../../domain/resolution'
import { batchText } from '../../health/job-troubles'
import type { Pool } from '../../postgres/session/session'
import { inSnapshot } from '../../postgres/session/transaction'
import { readConservation } from '../../postgres/status/conservation'
import { type HeldJobStatus, readOpenJobs } from '../../postgres/status/read-open-jobs'
import { type RouteStatus, readRoutes } from '../../postgres/status/read-routes'
import { type RunSummary, readRunSummary } from '../../postgres/status/run-summary'
import { table } from '../table'
import type { RunCost } from './progress'

export interface HeldInput {
  readonly heldJobs: readonly HeldJobStatus[]
  readonly routes: readonly RouteStatus[]
  /** Directory of the run's own database; null when it is in that of DATABASE_URL. */
  readonly dataDir: string | null
}

/** The flag of `resolve` for each way to settle a held job, and what it says. */
const answers: Readonly<Record<Resolution['kind'], readonly [flag: string, meaning: string]>> = {
  adopt: ['--adopt JOB_ID', 'the job is at the provider under this JobId'],
  absent: ['--absent', 'the provider has no such job: its devices are sent again'],
  again: ['--again', 'the cause is gone: the step it is held at is tried once more'],
  fail: ['--fail', 'its devices fail for good'],
  resend: ['--resend', 'its devices are sent again, also those that may have moved'],
}

/** The text as one word of a shell command. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** What people have to do before the rest of a list can end: each held job and route, why it is held, and the commands. */
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
    ...heldJobs.filter(({ withRoute }) => !withRoute).flatMap(ofJob),
    ...routes.filter(({ heldAt }) => heldAt !== null).flatMap(ofRoute),
    'Then start the same command again.',
  ]
    .map(line => `  ${line}\n`)
    .join('')
}

type Row = readonly [label: string, value: string | number]

export interface SummaryInput {
  /** Of the list, over all starts of its run. */
  readonly summary: RunSummary
  /** Conservation gap of the whole database. */
  readonly gap: number
  /** Of this start. */
  readonly cost: RunCost
  /** Length of this start. */
  readonly seconds: number
}

const ifAny = (label: string, count: number): Row[] => (count > 0 ? [[label, count]] : [])

/**
 * Calls are not stored, so they are those of this start. What they achieved is counted over the same time, and the rows
 * say so unless this start did the whole run.
 */
const costRows = ({ summary, cost, seconds }: SummaryInput): Row[] => {
  const { calls, jobsSettled, devicesSettled } = cost
  const isAll = !cost.isResumed && jobsSettled === summary.jobs
  const label = (text: string): string => (isAll ? text : `${text}, this start`)
  return [
    ...(isAll ? [] : [[label('jobs settled'), jobsSettled] as const]),
    [label('calls'), calls],
    [label('devices per call'), calls === 0 ? '-' : devicesSettled / calls],
    [label('seconds'), seconds],
  ]
}

/** What became of every device of a run, and what it cost. */
export const summaryText = (input: SummaryInput): string => {
  const { summary, gap } = input
  const rows: Row[] = [
    ['accepted', summary.accepted],
    ...summary.outcomes.map(
      ({ outcome, code, count }): Row => [outcome === 'moved' ? 'moved' : `${outcome}: ${code}`, count],
    ),
    ['duplicates', summary.duplicates],
    ...ifAny('superseded', summary.superseded),
    ...ifAny('unfinished', summary.unfinished),
    ['attempts re-queued', summary.retried],
    ['jobs', summary.jobs],
    ...costRows(input),
    ['conservation gap', gap],
  ]
  return table(rows, [0, 10])
    .map(line => `  ${line}`)
    .join('\n')
}

export interface ReportDeps extends Pick<SummaryInput, 'cost' | 'seconds'> {
  readonly pool: Pool
  /** Of the list. */
  readonly topic: string
  /** Directory of the run's own database; null when it is in that of DATABASE_URL. */
  readonly dataDir: string | null
  readonly say: (text: string) => void
}

/** Says what became of the list and what people have to do for the rest of it. Returns how many moves are unfinished. */
export const reportRun = async (deps: ReportDeps): Promise<number> => {
  const { pool, topic, cost, seconds, dataDir, say } = deps
  const { summary, gap, held } = await inSnapshot(pool, async queries => {
    const summary = await readRunSummary(queries, topic)
    const { gap, held } = await readConservation(queries)
    if (summary.unfinished === 0 || held === 0) return { summary, gap, held: null }
    const { heldJobs } = await readOpenJobs(queries)
    return { summary, gap, held: { heldJobs, routes: (await readRoutes(queries)).routes } }
  })
  say(`${summaryText({ summary, gap, cost, seconds })}\n`)
  if (held !== null) say(heldText({ ...held, dataDir }))
  return summary.unfinished
}
