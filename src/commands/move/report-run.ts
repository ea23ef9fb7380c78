import type { Resolution } from '../../domain/resolution'
import { batchText } from '../../health/job-troubles'
import type { Pool } from '../../postgres/session/session'
import { inSnapshot } from '../../postgres/session/transaction'
import { readConservation } from '../../postgres/status/conservation'
import { type HeldJobStatus, readOpenJobs } from '../../postgres/status/read-open-jobs'
import { type RouteStatus, readRoutes } from '../../postgres/status/read-status'
import { type RunSummary, readRunSummary } from '../../postgres/status/run-summary'
import type { RunCost } from './progress'

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

export interface SummaryInput {
  /** Of the list, all starts together. */
  readonly summary: RunSummary
  /** Of the whole database. */
  readonly gap: number
  /** Of this start. */
  readonly cost: RunCost
  readonly seconds: number
}

type Row = readonly [string, string]

const table = (rows: readonly Row[]): string => {
  const width = Math.max(...rows.map(([label]) => label.length))
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value.padStart(10)}`).join('\n')
}

const grouped = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 })

const some = (label: string, count: number): Row[] => (count > 0 ? [[label, grouped(count)]] : [])

/** Calls are not stored, so what they bought is counted over the same time: this start, where that is not all. */
const costRows = ({ summary, cost, seconds }: SummaryInput): Row[] => {
  const { calls, jobsSettled, devicesSettled } = cost
  const isAll = !cost.isResumed && jobsSettled === summary.jobs
  const label = (text: string): string => (isAll ? text : `${text}, this start`)
  return [
    ...(isAll ? [] : [[label('jobs settled'), grouped(jobsSettled)] as const]),
    [label('calls'), grouped(calls)],
    [label('devices per call'), calls === 0 ? '-' : grouped(devicesSettled / calls)],
    [label('seconds'), grouped(seconds)],
  ]
}

/** The end of a run, for people: what became of every device, and what it cost. */
export const summaryText = (input: SummaryInput): string => {
  const { summary, gap } = input
  return table([
    ['accepted', grouped(summary.accepted)],
    ...summary.outcomes.map(
      ({ outcome, code, count }): Row => [
        outcome === 'moved' ? 'moved' : `${outcome}: ${code}`,
        grouped(count),
      ],
    ),
    ['duplicates', grouped(summary.duplicates)],
    ...some('superseded', summary.superseded),
    ...some('unfinished', summary.unfinished),
    ['attempts re-queued', grouped(summary.retried)],
    ['jobs', grouped(summary.jobs)],
    ...costRows(input),
    ['conservation gap', grouped(gap)],
  ])
}

export interface ReportDeps {
  readonly pool: Pool
  /** Of the list. */
  readonly topic: string
  readonly cost: RunCost
  readonly seconds: number
  /** null: the database is that of DATABASE_URL. */
  readonly dataDir: string | null
  readonly say: (text: string) => void
}

/** Says what became of the list, and what somebody has to do for the rest of it; returns how many moves that is. */
export const reportRun = async (deps: ReportDeps): Promise<number> => {
  const { pool, topic, cost, seconds, dataDir, say } = deps
  const { summary, gap, held } = await inSnapshot(pool, async from => {
    const summary = await readRunSummary(from, topic)
    const { gap, held } = await readConservation(from)
    if (summary.unfinished === 0 || held === 0) return { summary, gap, held: null }
    const { heldJobs } = await readOpenJobs(from)
    return { summary, gap, held: { heldJobs, routes: await readRoutes(from) } }
  })
  say(`${summaryText({ summary, gap, cost, seconds })}\n`)
  if (held !== null) say(heldText({ ...held, dataDir }))
  return summary.unfinished
}
