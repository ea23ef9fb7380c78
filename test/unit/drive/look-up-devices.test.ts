import { asyncScheduler, NEVER, type Observable, of, ReplaySubject, timer } from 'rxjs'
import type { FlowEvent } from '../../../src/domain/flow-event'
import type { Job } from '../../../src/domain/job'
import type { Fate, LookUp } from '../../../src/domain/look-up'
import { createLookUpDevices } from '../../../src/drive/look-up-devices'
import { createProviderCalls } from '../../../src/drive/provider-calls'
import { createRateLimiter } from '../../../src/operators/rate-limit'
import { LeaseLostError } from '../../../src/ports/errors'
import type { Operation } from '../../../src/ports/job-api'
import { createSimulatedProvider, type SimulatedProviderOptions } from '../../support/simulated-provider'
import { inVirtualTime, routeTo } from '../../support/virtual-driver'

const names = Array.from({ length: 100 }, (_, i) => `meter-${String(i).padStart(3, '0')}`)
const route = routeTo('iot-target')
const jobEndsAt = 10_000

interface Run {
  readonly shared?: number
  readonly maxDevices?: number
  readonly provider?: SimulatedProviderOptions
  readonly stop$?: Observable<unknown>
  readonly mayCall?: () => boolean
  readonly asked?: readonly string[]
  /** Look-ups that a predecessor has stored. */
  readonly kept?: readonly LookUp[]
  readonly untilMs?: number
  /** Called at the start of the look-ups. */
  readonly meanwhile?: (calls: ReturnType<typeof createProviderCalls>) => void
}

/** Runs one job of all the names, which moves the first half of them, and then looks devices up. */
const run = ({ shared = 2, maxDevices = 1_000, stop$ = NEVER, asked = names, ...more }: Run) => {
  const provider = createSimulatedProvider({
    jobMs: () => jobEndsAt,
    onJobEnd: () => 'interrupted-without-file',
    ...more.provider,
  })
  const limiter = createRateLimiter<Operation>({
    shared,
    perOperation: { create: 2, detail: 5, list: 5, query: 10, provisioning: 50 },
    priority: ['create', 'detail', 'list', 'query', 'provisioning'],
    yielding: ['provisioning'],
    windowMs: 1_000,
    marginMs: 20,
    deadlineMs: 20_000,
  })
  const events: FlowEvent[] = []
  const kept: LookUp[] = []
  const spent: number[] = []
  const ended: { fates: ReadonlyMap<string, Fate> | null; at: number; error: unknown } = {
    fates: null,
    at: Number.NaN,
    error: null,
  }
  const observe = (event: FlowEvent): void => void events.push(event)
  const calls = createProviderCalls({
    api: provider,
    limiter,
    mayCall: more.mayCall ?? (() => true),
    observe,
  })
  const lookUpDevices = createLookUpDevices({
    journal: {
      addCalls: (_, n) => of(void spent.push(n)),
      keepLookUps: (_, lookUps) => of(void kept.splice(0, kept.length, ...lookUps)),
      keptLookUps: () => of(more.kept ?? []),
    },
    calls,
    observe,
    random: () => 1,
    maxDevices,
    stop$,
  })
  const job: Job = {
    batchId: 7,
    routeId: 1,
    route,
    status: 'interrupted',
    providerJobId: 'P',
    createStartedAt: 0,
    lastError: null,
    refusals: 0,
    splitRootRefusals: 0,
    search: null,
    foundBy: null,
    notOurs: [],
    releases: 0,
    moves: [],
  }
  inVirtualTime(more.untilMs ?? 3_600_000, () => {
    provider.create(route, names).subscribe()
    timer(jobEndsAt + 1_000).subscribe(() => {
      more.meanwhile?.(calls)
      lookUpDevices(job, asked).subscribe({
        next: fates => {
          ended.fates = fates
        },
        error: (error: unknown) => {
          ended.error = error
        },
        complete: () => {
          ended.at = asyncScheduler.now()
        },
      })
    })
  })
  return { provider, limiter, events, kept, spent, ended, arrivals: provider.audit.arrivals.provisioning }
}

const faulty =
  (fault: (n: number) => ReturnType<NonNullable<SimulatedProviderOptions['onCall']>>) =>
  (operation: Operation, n: number) =>
    operation === 'provisioning' ? fault(n) : 'ok'

describe('looking up devices', () => {
  it('tells devices that have moved from the others, stores the answers and counts the calls', () => {
    const { ended, kept, spent, events, arrivals } = run({})
    expect(ended.fates).toEqual(
      new Map(names.map((name, index) => [name, index < 50 ? 'moved' : 'elsewhere'])),
    )
    expect(kept).toHaveLength(100)
    expect(spent).toEqual(names.map(() => 1))
    expect(arrivals).toHaveLength(100)
    expect(events.at(-1)).toEqual({
      kind: 'devices-looked-up',
      batchId: 7,
      moved: 50,
      elsewhere: 50,
      untold: 0,
    })
  })

  it('asks for no more devices than it may', () => {
    const { ended, events, arrivals } = run({ maxDevices: 10 })
    expect([...(ended.fates?.keys() ?? [])]).toEqual(names.slice(0, 10))
    expect(arrivals).toHaveLength(10)
    expect(events.at(-1)).toMatchObject({ moved: 10, elsewhere: 0, untold: 90 })
  })

  it('makes no call when there is nothing to look up', () => {
    for (const { ended, arrivals, kept } of [run({ maxDevices: 0 }), run({ asked: [] })]) {
      expect(ended.fates).toEqual(new Map())
      expect([arrivals, kept]).toEqual([[], []])
    }
  })

  it('keeps the quota, and keeps no create and no poll waiting', () => {
    // No two are close together, since only two calls a second may be made.
    const instants = [0, 1_777, 3_500, 9_999, 30_000, 31_500].map(ms => jobEndsAt + 1_000 + ms)
    const { provider, ended } = run({
      provider: { maxOpenJobs: 100 },
      meanwhile: calls => {
        instants.forEach((instant, index) => {
          timer(instant - asyncScheduler.now()).subscribe(() =>
            index % 2 === 0
              ? calls.list({}).subscribe()
              : calls.create(of({ route, moves: [] } as unknown as Job)).subscribe(),
          )
        })
      },
    })
    const { create, list } = provider.audit.arrivals
    const arrived = [...create.slice(1), ...list].sort((a, b) => a - b)
    expect(arrived).toEqual(instants.map(instant => instant + 40))
    expect(provider.audit.maxCallsInAnySecond()).toBe(2)
    expect(ended.fates?.size).toBe(100)
  })

  it('goes as fast as its own cap allows if there is no shared quota', () => {
    const { provider, ended } = run({ shared: 0, provider: { latencyMs: 5 } })
    expect(provider.audit.maxCallsInAnySecond('provisioning')).toBe(50)
    expect(ended.at).toBeLessThan(jobEndsAt + 1_000 + 3_000)
  })

  it('asks again for devices whose call was throttled, lost or not answered', () => {
    const faults = [
      'throttle',
      'lose-answer',
      'lose-request',
      { kind: 'not-sent', code: 'ENOTFOUND' },
    ] as const
    const { ended, arrivals } = run({
      asked: names.slice(0, 10),
      provider: { onCall: faulty(n => faults[n - 1] ?? 'ok') },
    })
    expect(ended.fates?.size).toBe(10)
    expect([...(ended.fates?.values() ?? [])]).toEqual(Array(10).fill('moved'))
    // The one lost on its way never arrived, and the one not sent never left.
    expect(arrivals).toHaveLength(12)
  })

  it('gives a device up after ten calls without an answer', () => {
    const { ended, arrivals, kept } = run({
      asked: names.slice(0, 1),
      provider: { onCall: faulty(() => ({ kind: 'unanswered', code: 'iot.system.SystemException' })) },
    })
    expect(ended.fates).toEqual(new Map([[names[0], 'cannot-tell']]))
    expect(arrivals).toHaveLength(10)
    expect(kept).toMatchObject([{ found: null, code: 'iot.system.SystemException' }])
  })

  it.each([
    ['the account may not ask', { kind: 'account-refused', code: 'Forbidden.RAM' }, 11],
    ['every answer has an unrecognised code', { kind: 'unknown', code: 'InvalidAction.NotFound' }, 6],
  ] as const)('does not go on when %s', (_, fault, most) => {
    const { ended, arrivals, events } = run({ shared: 0, provider: { onCall: faulty(() => fault) } })
    expect(arrivals.length).toBeLessThanOrEqual(most)
    expect([...(ended.fates?.values() ?? [])].every(fate => fate === 'cannot-tell')).toBe(true)
    expect(events.at(-1)).toMatchObject({ moved: 0, elsewhere: 0, untold: 100 })
  })

  it('waits until a refusal of the account has passed', () => {
    const { ended, arrivals } = run({
      asked: names.slice(0, 10),
      provider: { onCall: faulty(n => (n <= 3 ? { kind: 'account-refused', code: 'Forbidden.RAM' } : 'ok')) },
    })
    expect([...(ended.fates?.values() ?? [])]).toEqual(Array(10).fill('moved'))
    expect(arrivals).toHaveLength(13)
    expect(ended.at).toBeGreaterThan(jobEndsAt + 120_000)
  })

  it('goes on past devices that the provider does not know', () => {
    const strangers = names.slice(0, 20).map(name => `unheard-of-${name}`)
    const { ended } = run({ asked: [...strangers, ...names.slice(0, 5)] })
    expect([...(ended.fates?.values() ?? [])]).toEqual([
      ...Array(20).fill('cannot-tell'),
      ...Array(5).fill('moved'),
    ])
  })

  it('asks only for devices of which a predecessor has no recent answer', () => {
    const answer = (deviceName: string, instanceId: string | null, answeredAt = jobEndsAt): LookUp => ({
      deviceName,
      answeredAt,
      found: instanceId === null ? null : { instanceId, cameFrom: null, sentAt: null, changedAt: null },
      code: null,
    })
    const { ended, arrivals } = run({
      asked: ['meter-000', 'meter-001', 'meter-002', 'meter-003'],
      kept: [
        answer('meter-000', 'iot-elsewhere'),
        answer('meter-001', null),
        answer('meter-002', 'iot-elsewhere', jobEndsAt - 3_600_000),
        answer('not-asked-for', 'iot-target'),
      ],
    })
    expect(Object.fromEntries(ended.fates ?? [])).toEqual({
      'meter-000': 'elsewhere',
      'meter-001': 'moved',
      'meter-002': 'moved',
      'meter-003': 'moved',
    })
    expect(arrivals).toHaveLength(3)
  })

  it('loses only a few answers when it ends without warning', () => {
    const { kept, arrivals } = run({ untilMs: jobEndsAt + 80_000 })
    expect(arrivals.length).toBeGreaterThan(50)
    expect(kept.length).toBeGreaterThan(arrivals.length - 30)
  })

  it('sends no further call once stopped, waits for none and gives no result', () => {
    const stop$ = new ReplaySubject<void>(1)
    const stopAt = jobEndsAt + 5_010
    const { ended, arrivals, kept, limiter } = run({
      stop$,
      meanwhile: () => timer(stopAt - asyncScheduler.now()).subscribe(() => stop$.next()),
    })
    expect(ended).toMatchObject({ fates: null, error: null })
    expect(ended.at).toBeLessThanOrEqual(stopAt + 80)
    expect(Math.max(...arrivals)).toBeLessThanOrEqual(stopAt + 40)
    expect(arrivals.length).toBeLessThan(10)
    // The answers so far are stored for the next driver.
    expect(kept.length).toBeGreaterThan(0)
    expect(limiter.inFlight()).toBe(0)
  })

  it('fails when the lease is lost', () => {
    const { ended, arrivals } = run({ mayCall: () => asyncScheduler.now() < jobEndsAt + 4_000 })
    expect(ended.error).toBeInstanceOf(LeaseLostError)
    expect(Math.max(...arrivals)).toBeLessThan(jobEndsAt + 4_100)
  })
})
