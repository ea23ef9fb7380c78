import type { FlowName } from '../../../src/domain/flow-event'
import type { ProviderTrouble } from '../../../src/health/provider-health'
import type { FlowHealth, ServiceStatus } from '../../../src/health/readiness'
import { readinessOf } from '../../../src/health/readiness'

const well: FlowHealth = { state: 'running', problem: null }
const idle = { create: 0, detail: 0, query: 0, list: 0, provisioning: 0 }
const statusWith = (
  flows: Partial<Record<FlowName, FlowHealth>>,
  provider: ProviderTrouble | null = null,
): ServiceStatus => ({
  lease: 'held',
  holder: null,
  openJobs: { own: 0, searching: 0, foreign: 0, capacity: 10 },
  accountRefused: null,
  provider,
  quota: { shared: 0, perOperation: idle, waiting: idle },
  flows: { intake: well, drive: well, publish: well, ...flows },
})
const assigned = { state: 'assigned', reason: null } as const
const because = (...given: Parameters<typeof readinessOf>) => {
  const { ready, because: reasons } = readinessOf(...given)
  expect(ready).toBe(reasons.length === 0)
  return reasons
}

describe('readiness', () => {
  it('is given when records can come in and outcomes go out, and while the process stands by', () => {
    expect(because(statusWith({}), assigned, true)).toEqual([])
    const standby: FlowHealth = { state: 'standing-by', problem: null }
    const standingBy = { state: 'standing-by', reason: null } as const
    expect(because(statusWith({ drive: standby, publish: standby }), standingBy, true)).toEqual([])
  })

  it('names all that has to change before it is given', () => {
    const publish: FlowHealth = { state: 'retrying', problem: 'topic "results" not found' }
    const failed = { state: 'failed', reason: 'no sign of life from Kafka for 10 s' } as const
    expect(because(statusWith({ publish }), failed, false)).toEqual([
      'the database does not answer',
      'no sign of life from Kafka for 10 s',
      'topic "results" not found',
    ])
    expect(because(statusWith({}), { state: 'starting', reason: null }, true)).toEqual([
      'partitions of the requests topic are not assigned yet',
    ])
  })

  it('does not depend on the provider but shows its troubles', () => {
    expect(because(statusWith({ drive: { state: 'retrying', problem: '503' } }), assigned, true)).toEqual([])
    const away: ProviderTrouble = {
      kind: 'unreachable',
      since: '2026-11-24T08:00:00.000Z',
      lastAt: '2026-11-24T08:01:00.000Z',
      calls: 7,
      operation: 'list',
      code: 'ECONNREFUSED',
    }
    expect(readinessOf(statusWith({}, away), assigned, true)).toMatchObject({
      ready: true,
      because: [
        'the provider cannot be reached since 2026-11-24T08:00:00.000Z: ECONNREFUSED (list, last tried 2026-11-24T08:01:00.000Z)',
      ],
    })
    expect(readinessOf(statusWith({}, away), assigned, false)).toMatchObject({ ready: false })
  })

  it('shows a restored database once', () => {
    const stopped: FlowHealth = { state: 'stopped', problem: 'restored' }
    const flows = { intake: stopped, drive: stopped, publish: stopped }
    expect(because(statusWith(flows), { state: 'starting', reason: null }, true)).toEqual(['restored'])
  })
})
