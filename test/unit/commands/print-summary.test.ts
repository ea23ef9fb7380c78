import { createRunCost } from '../../../src/commands/move/progress'
import { summaryText } from '../../../src/commands/move/report-run'

const gap = 0
const summaryOf = (jobs: number) => ({
  outcomes: [{ outcome: 'moved', code: '200', count: 3_000 }],
  ...{ accepted: 3_000, duplicates: 0, superseded: 0, unfinished: 0, retried: 0 },
  jobs,
})

const rowsOf = (text: string): Record<string, string> =>
  Object.fromEntries(text.split('\n').map(line => line.trim().split(/ {2,}/)))

/** Two settled jobs of 1,000 devices each, at four calls. */
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
  it('counts all of it where one start did it all', () => {
    const rows = rowsOf(summaryText({ summary: summaryOf(2), gap, cost: workedOn().now(), seconds: 7.25 }))
    expect(rows).toMatchObject({ jobs: '2', calls: '4', 'devices per call': '500', seconds: '7.3' })
  })

  it('says of what it counted for this start only that it is of this start', () => {
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

  it('does so too when all jobs were settled now, but one was created before', () => {
    const cost = workedOn()
    cost.observe({ kind: 'job-resumed', batchId: 2, status: 'running' })
    const rows = rowsOf(summaryText({ summary: summaryOf(2), gap, cost: cost.now(), seconds: 7 }))
    expect(rows).toHaveProperty('calls, this start', '4')
  })

  it('has no ratio without a call', () => {
    const cost = createRunCost().now()
    const rows = rowsOf(summaryText({ summary: summaryOf(3), gap, cost, seconds: 1 }))
    expect(rows).toHaveProperty('devices per call, this start', '-')
  })
})
