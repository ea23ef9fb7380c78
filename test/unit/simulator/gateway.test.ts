import { createAuditBook } from '../../../src/tools/simulator/audit'
import { actions, type Operation } from '../../../src/tools/simulator/call'
import { createFaults, type Fault } from '../../../src/tools/simulator/faults'
import { createForeignJobs } from '../../../src/tools/simulator/foreign-jobs'
import { createGateway } from '../../../src/tools/simulator/gateway'
import { createQuotaWindow } from '../../../src/tools/simulator/quota-window'
import { createRandom } from '../../../src/tools/simulator/random'
import { createFixture, order } from './account-fixture'
import { signedV3 } from './signed-call'

const caps = { create: 2, query: 10, list: 5, detail: 5, delete: 2, provisioning: 50 }

const createBench = (options = {}) => {
  const { account } = createFixture(options)
  const audit = createAuditBook()
  const window = createQuotaWindow(caps, account.options.qps)
  const faults = createFaults(account.options, createRandom(1))
  const gateway = createGateway({ account, window, audit, faults })
  const foreign = createForeignJobs(account)
  const send = (operation: Operation, params: Record<string, string>, at: number) => {
    const form = String(new URLSearchParams(params))
    return gateway(signedV3({ action: actions[operation], form, at }), at)
  }
  const create = (at: number, name = 'meter-1') => {
    const reaction = send('create', order([name]), at)
    if (reaction.kind === 'cut') return 'cut'
    const { status, contentType, body } = reaction.answer
    if (contentType === 'text/html') return `html ${status}`
    const { Success, Code } = JSON.parse(body) as { Success?: boolean; Code: string }
    return Success === true ? 'ok' : `${Code} ${status}`
  }
  return {
    account,
    faults,
    foreign,
    send,
    create,
    jobs: (at: number) => {
      account.timeline.advance(at)
      return account.book.all()
    },
    audit: (at: number) => audit.summary(window, account.book, foreign.opened(), at),
  }
}

describe('the simulator’s gateway', () => {
  const start = Date.parse('2026-11-24T08:00:00Z')

  it('refuses calls beyond the quota and counts them in the audit', () => {
    const bench = createBench()
    const codes = [0, 1, 2, 1000].map(ms => bench.create(start + ms))
    expect(codes).toEqual(['ok', 'ok', 'Throttling.User 400', 'ok'])
    expect(bench.audit(start)).toMatchObject({
      calls: { create: 4 },
      breaches: 1,
      breachList: [{ operation: 'create', at: start + 2, cap: 'operation' }],
      maxPerSecond: { create: 3, shared: 3 },
      ownJobs: 3,
    })
  })

  it('counts creates that were refused because of the job limit', () => {
    const bench = createBench({ jobs: 1 })
    expect([0, 1].map(ms => bench.create(start + ms))).toEqual(['ok', 'iot.distribute.JobCountExceeded 200'])
    expect(bench.audit(start + 1)).toMatchObject({
      slotRefusals: 1,
      maxOpenJobs: 1,
      jobsByStatus: [1, 0, 0, 0],
    })
  })

  it('refuses actions and versions that it does not know', () => {
    const bench = createBench()
    expect(bench.send('create', {}, start)).toMatchObject({ kind: 'answer', answer: { status: 200 } })
    const gateway = (action: string, version: string) => {
      const call = signedV3({ action, version, at: start })
      const { account } = createFixture()
      const faults = createFaults(account.options, createRandom(1))
      const deps = { account, faults, audit: createAuditBook(), window: createQuotaWindow(caps, 0) }
      return createGateway(deps)(call, start)
    }
    expect(gateway('Nonsense', '2018-01-20')).toMatchObject({ answer: { status: 404 } })
    expect(gateway('ListDeviceDistributeJob', '2017-01-01')).toMatchObject({ answer: { status: 400 } })
  })

  it('answers errors with the five fields of the real gateway', () => {
    const bench = createBench()
    bench.faults.inject('list', { kind: 'throttled' })
    const reaction = bench.send('list', {}, start)
    const body = reaction.kind === 'answer' ? (JSON.parse(reaction.answer.body) as object) : {}
    expect(body).toEqual({
      RequestId: expect.any(String),
      HostId: '127.0.0.1:1234',
      Code: 'Throttling.User',
      Message: expect.any(String),
      Recommend: expect.any(String),
    })
  })

  const cases: readonly (readonly [Fault, string, number, number])[] = [
    [{ kind: 'throttled' }, 'Throttling.User 400', 0, 1],
    [{ kind: 'server-error' }, 'html 502', 1, 1],
    [{ kind: 'server-error', status: 503, executed: false }, 'html 503', 0, 1],
    [{ kind: 'gateway', status: 403, code: 'Forbidden.RAM' }, 'Forbidden.RAM 403', 0, 1],
    [{ kind: 'business', code: 'iot.system.SystemException' }, 'iot.system.SystemException 200', 0, 1],
    [{ kind: 'lost-response' }, 'cut', 1, 1],
    [{ kind: 'lost-request' }, 'cut', 0, 0],
    [{ kind: 'late', delayMs: 5_000 }, 'cut', 0, 1],
    [{ kind: 'slow', delayMs: 5_000 }, 'ok', 1, 1],
  ]
  it.each(cases)('turns the fault %j into %s, with %i jobs and %i calls', (fault, answer, jobs, calls) => {
    const bench = createBench()
    bench.faults.inject('create', fault)
    expect(bench.create(start)).toBe(answer)
    expect(bench.jobs(start)).toHaveLength(jobs)
    expect(bench.audit(start)).toMatchObject({ calls: { create: calls }, faults: { [fault.kind]: 1 } })
    expect(bench.create(start + 1)).toBe('ok')
  })

  it('executes a late create when its time has come', () => {
    const bench = createBench()
    bench.faults.inject('create', { kind: 'late', delayMs: 5_000 })
    bench.create(start)
    expect(bench.jobs(start + 4_999)).toEqual([])
    expect(bench.jobs(start + 9_000).map(job => job.createdAt)).toEqual([start + 5_000])
  })

  it('decides the fate of one job on demand', () => {
    const bench = createBench()
    bench.faults.inject('create', { kind: 'fate', fate: { endsAs: 3, doneShare: 0 } })
    bench.create(start)
    bench.create(start + 1, 'meter-2')
    expect(bench.jobs(start).map(job => job.fate.endsAs)).toEqual([2, 3])
  })

  it('counts other people’s jobs, by seed and on demand, against the job limit', () => {
    const bench = createBench({ jobs: 2, foreignEveryMs: 100, foreignJobMs: 1_000, foreignMax: 1 })
    bench.foreign.start(start)
    expect(bench.jobs(start + 60_000).length).toBeGreaterThan(10)
    expect(bench.account.book.openAt(start + 60_000).length).toBeLessThanOrEqual(1)
    const at = start + 70_000
    bench.jobs(at)
    while (bench.foreign.open({ openMs: 60_000 }, at) !== null)
      expect(bench.account.book.openAt(at).length).toBeLessThan(3)
    expect(bench.create(at)).toBe('iot.distribute.JobCountExceeded 200')
    expect(bench.foreign.open({ beyondLimit: true }, at)).toEqual(expect.any(String))
  })
})
