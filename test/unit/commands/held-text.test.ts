import { heldText } from '../../../src/commands/move/report-run'
import type { HeldJobStatus } from '../../../src/postgres/status/read-open-jobs'

const job: HeldJobStatus = {
  status: 'unknown',
  resolutions: [],
  batchId: 7,
  jobId: null,
  routeId: 2,
  moves: 3,
  heldAt: '2026-11-24T08:00:00Z',
  withRoute: false,
  heldReason: 'why',
}
const commandsOf = (text: string): string[] =>
  text.split('\n').flatMap(line => /device-move .*?(?= {2}|$)/.exec(line)?.[0] ?? [])

describe('the text on held moves', () => {
  it('has one command for each resolution that fits the job', () => {
    const of = (resolutions: HeldJobStatus['resolutions'], dataDir: string | null) =>
      commandsOf(heldText({ heldJobs: [{ ...job, resolutions }], routes: [], dataDir }))
    expect(of(['again', 'fail'], null)).toEqual([
      'device-move resolve 7 --again',
      'device-move resolve 7 --fail',
    ])
    expect(of(['adopt', 'absent'], "it's here")).toEqual(
      ['--adopt JOB_ID', '--absent'].map(flag => `device-move resolve 7 --data-dir 'it'\\''s here' ${flag}`),
    )
  })
})
