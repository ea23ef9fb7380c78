import { createRunCost } from '../../../src/commands/move/progress'
import { summaryText } from '../../../src/commands/move/report-run'

const gap = 0
const summaryOf = (jobs: number) => ({
  accepted: 3_000,
  outcomes: [{ outcome: 'moved', code: '200', count: 3_000 }],
  duplicates: 0,
  superseded: 0,
  unfinished: 0,
  retried: 0,
  jobs,
})

const rowsOf = (text: string): Record<string, string> =>
  Object.fromEntries(text.split('\n').map(line => line.trim().split(/ {2,}/)))

/** The cost of two settled jobs of 1,000 devices each, with four calls. */
const workedOn = () => {
  const cost = createRunCost()
  for (const batchId of [1, 2]) {
    cost.observe({ kind: 'call-ended', operation: 'create', result: 'ok', code: null, tookMs: 1 })
    cost.observe({ kind: 'call-ended', operation: 'detail', result: 'ok', code: null, tookMs: 1 })
    cost.observe({ kind: 'job-settled', batchId, moved: 990, failed: 4, retried: 6 })
  }
  return cost
}

describe('the summary of a run', () => {
  it('counts the whole run where one start did all of it', () => {
    const rows = rowsOf(summaryText({ summary: summaryOf(2), gap, cost: workedOn().now(), seconds: 7.25 }))
    expect(rows).toMatchObject({ jobs: '2', calls: '4', 'devices per call': '500', seconds: '7.3' })
  })

  it('marks the figures that are of this start only', () => {
    const rows = rowsOf(summaryText({ summary: summaryOf(3), gap, cost: workedOn().now(), seconds: 7 }))
    expect(rows).toMatchObject({
      moved: '3,000',
      jobs: '3',
      'jobs settled, this start': '2',
      'calls, this start': '4',
      'devices per call, this start': '500',
      'seconds, this start': '7',
    })
    expect(rows).not.toHaveProperty('calls')
  })

  it('marks them also when this start has settled all jobs, but an earlier one has created one of them', () => {
    const cost = workedOn()
    cost.observe({ kind: 'job-resumed', batchId: 2, status: 'running' })
    const rows = rowsOf(summaryText({ summary: summaryOf(2), gap, cost: cost.now(), seconds: 7 }))
    expect(rows).toHaveProperty('calls, this start', '4')
  })

  it('shows no ratio of devices to calls when there was no call', () => {
    const cost = createRunCost().now()
    const rows = rowsOf(summaryText({ summary: summaryOf(3), gap, cost, seconds: 1 }))
    expect(rows).toHaveProperty('devices per call, this start', '-')
  })
})
