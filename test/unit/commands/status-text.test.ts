import { statusText } from '../../../src/commands/operate/status-text'
import type { ProcessStatus } from '../../../src/health/readiness'
import type { Status } from '../../../src/health/status'

const perOperation = { create: 1, detail: 0, query: 0, list: 1, provisioning: 0 }
const flow = (state: 'running' | 'standing-by') => ({ state, problem: null })
const driver: ProcessStatus = {
  lease: 'held',
  holder: null,
  openJobs: { own: 9, searching: 0, foreign: 1, capacity: 10 },
  accountRefused: null,
  provider: null,
  quota: { shared: 2, perOperation, waiting: perOperation },
  flows: { intake: flow('running'), drive: flow('running'), publish: flow('running') },
  source: { state: 'assigned', reason: null },
}
const standBy: ProcessStatus = {
  ...driver,
  lease: 'standing-by',
  holder: 'host-a/1',
  openJobs: null,
  quota: null,
  flows: { intake: flow('running'), drive: flow('standing-by'), publish: flow('standing-by') },
}
const linesOf = (process: ProcessStatus): string[] => {
  const status: Status = {
    at: '2026-11-24T08:00:00.000Z',
    asOf: null,
    ageMs: null,
    moving: false,
    because: [],
    database: null,
    process,
  }
  return statusText(status).split('\n')
}

describe('the status for people', () => {
  it('shows the slots and the quota of the process that drives', () => {
    const lines = linesOf(driver)
    expect(lines).toContain('slots        9 ours, 1 not ours, of 10')
    expect(lines).toContain(
      'quota        2 calls in use (create 1, detail 0, query 0, list 1, provisioning 0)',
    )
  })

  it('names the driver, and shows no slots and no quota, where the process stands by', () => {
    const lines = linesOf(standBy)
    expect(lines).toContain(`stand-by     slots and quota are the driver's: ask host-a/1`)
    expect(lines.filter(line => /^(slots|quota)/.test(line))).toEqual([])
    expect(linesOf({ ...standBy, holder: null })).toContain(
      `stand-by     slots and quota are the driver's: none is known`,
    )
  })

  it('says that the slots are not known before the first look at the account', () => {
    expect(linesOf({ ...driver, openJobs: null })).toContain('slots        not known yet')
  })
})
