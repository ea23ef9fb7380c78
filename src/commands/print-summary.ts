import type { RunSummary } from '../postgres/run-summary'
import type { RunCost } from './run-cost'

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
