import type { Conservation } from '../postgres/conservation'
import type { RunSummary } from '../postgres/run-summary'

export interface SummaryInput {
  readonly summary: RunSummary
  readonly counts: Conservation
  readonly calls: number
  readonly seconds: number
}

const table = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([label]) => label.length))
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value.padStart(10)}`).join('\n')
}

const grouped = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 })

/** The end of a run, for people: what became of every device, and what it cost. */
export const summaryText = ({ summary, counts, calls, seconds }: SummaryInput): string => {
  const { outcomes, jobs, devices, retried } = summary
  const rows: [string, string][] = [
    ['accepted', grouped(counts.accepted)],
    ...outcomes.map(({ outcome, code, count }): [string, string] => [
      outcome === 'moved' ? 'moved' : `${outcome}: ${code}`,
      grouped(count),
    ]),
    ['duplicates', grouped(counts.duplicate)],
    ...(counts.held > 0 ? [['held', grouped(counts.held)] as [string, string]] : []),
    ['attempts re-queued', grouped(retried)],
    ['jobs', grouped(jobs)],
    ['calls', grouped(calls)],
    ['devices per call', calls === 0 ? '-' : grouped(devices / calls)],
    ['seconds', grouped(seconds)],
    ['conservation gap', grouped(counts.gap)],
  ]
  return table(rows)
}
