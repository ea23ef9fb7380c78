import { asyncScheduler, defer, delay, of } from 'rxjs'
import { createProviderCalls } from '../../../src/drive/provider-calls'
import { createRateLimiter } from '../../../src/operators/rate-limit'
import { LeaseLostError } from '../../../src/ports/errors'
import type { CallResult, JobApi, Operation } from '../../../src/ports/job-api'
import { createSimulatedProvider } from '../../support/simulated-provider'
import { inVirtualTime } from '../../support/virtual-driver'

const operations: readonly Operation[] = ['create', 'detail', 'list', 'query', 'provisioning']

/** Calls that are sent at once unless they are paused, each answered after 10 ms. `left` has when each was sent. */
const setUp = (failing: Operation, mayCall = true) => {
  const left: [Operation, number][] = []
  const answer = <T>(operation: Operation, value: T) =>
    defer(() => {
      left.push([operation, asyncScheduler.now()])
      const throttled = {
        ok: false,
        kind: 'throttled',
        code: 'Throttling.User',
        message: 'slow down',
      } as const
      const result: CallResult<T> =
        operation === failing && left.length === 1 ? throttled : { ok: true, value }
      return of(result).pipe(delay(10))
    })
  const provider = createSimulatedProvider({ random: () => 0 })
  const whereabouts = { instanceId: 'iot-a', cameFrom: null, sentAt: null, changedAt: null }
  const api: JobApi = {
    ...provider,
    detail: () => answer('detail', { url: null }),
    list: () => answer('list', { jobs: [], nextToken: null, total: 0 }),
    provisioning: () => answer('provisioning', whereabouts),
  }
  const perOperation = { create: 0, detail: 0, list: 0, query: 0, provisioning: 0 }
  const limiter = createRateLimiter<Operation>({
    shared: 0,
    perOperation,
    priority: operations,
    windowMs: 1_000,
    marginMs: 20,
    deadlineMs: 20_000,
  })
  const calls = createProviderCalls({ api, limiter, mayCall: () => mayCall, observe: () => undefined })
  return { calls, left }
}

describe('calls to the provider', () => {
  it('all pause for a second when one is throttled', () => {
    const { calls, left } = setUp('list')
    inVirtualTime(5_000, () => {
      calls.list({}).subscribe(() => calls.detail('job').subscribe())
    })
    expect(left).toEqual([
      ['list', 0],
      ['detail', 1_010],
    ])
  })

  it('do not pause when a look-up is throttled, since look-ups have a cap of their own', () => {
    const { calls, left } = setUp('provisioning')
    inVirtualTime(5_000, () => {
      const lookUp = calls.provisioning('product', 'meter', of())
      lookUp.subscribe(() => {
        calls.detail('job').subscribe()
        lookUp.subscribe()
      })
    })
    expect(left).toEqual([
      ['provisioning', 0],
      ['detail', 10],
      ['provisioning', 1_010],
    ])
  })

  it('are not made without the lease, fetches of result files included', () => {
    const { calls, left } = setUp('list', false)
    const errors: unknown[] = []
    inVirtualTime(5_000, () => {
      calls.list({}).subscribe({ error: error => errors.push(error) })
      calls.fetchResults('https://files.example.org/1', []).subscribe({ error: error => errors.push(error) })
    })
    expect(left).toEqual([])
    expect(errors).toEqual([expect.any(LeaseLostError), expect.any(LeaseLostError)])
  })
})
