import { asyncScheduler, defer, NEVER, type Observable, of, ReplaySubject, timer } from 'rxjs'
import type { FlowEvent } from '../../../src/domain/flow-event'
import type { BatchMove, Job } from '../../../src/domain/job'
import { type Fate, fatesOf, type LookUp, type UntoldJob } from '../../../src/domain/look-up'
import type { Verdict } from '../../../src/domain/outcome'
import { createLookUpLine } from '../../../src/drive/look-up-line'
import { createProviderCalls } from '../../../src/drive/provider-calls'
import { createRateLimiter } from '../../../src/operators/rate-limit'
import { LeaseLostError } from '../../../src/ports/errors'
import type { Operation } from '../../../src/ports/job-api'
import type { DriveJournal } from '../../../src/ports/journal'
import { createSimulatedProvider, type SimulatedProviderOptions } from '../../support/simulated-provider'
import { inVirtualTime, routeTo } from '../../support/virtual-driver'

const names = Array.from({ length: 100 }, (_, i) => `meter-${String(i).padStart(3, '0')}`)
const route = routeTo('iot-target')
const jobEndsAt = 10_000

interface Run {
  readonly shared?: number
  readonly provider?: SimulatedProviderOptions
  readonly stop$?: Observable<unknown>
  readonly mayCall?: () => boolean
  readonly asked?: readonly string[]
  readonly endedAs?: UntoldJob['ended']
  /** Why the job is held once devices stay untold. */
  readonly holdUntold?: string
  readonly untilMs?: number
  /** Called at the start of the look-ups. */
  readonly meanwhile?: (calls: ReturnType<typeof createProviderCalls>) => void
}

/** Runs one job of all the names, which moves the first half of them, and then looks devices up. */
const run = ({ shared = 2, stop$ = NEVER, asked = names, ...more }: Run) => {
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
  const verdicts: Verdict[] = []
  const held: string[] = []
  const ended: { at: number; error: unknown } = { at: Number.NaN, error: null }
  const observe = (event: FlowEvent): void => void events.push(event)
  const calls = createProviderCalls({
    api: provider,
    limiter,
    mayCall: more.mayCall ?? (() => true),
    observe,
  })
  const job: UntoldJob = {
    batchId: 7,
    route,
    releases: 0,
    createStartedAt: 0,
    ended: more.endedAs ?? 'completed',
    holdUntold: more.holdUntold ?? null,
  }
  const open = new Map(
    asked.map((deviceName, index): [bigint, BatchMove] => [
      BigInt(index),
      { seq: BigInt(index), deviceName, attempt: 1 },
    ]),
  )
  const journal: Partial<DriveJournal> = {
    addCalls: (_, n) => of(void spent.push(n)),
    nextUntold: () => of(job),
    untoldMoves: (_, devices) => {
      const known = new Set(kept.map(({ deviceName }) => deviceName))
      return of([...open.values()].filter(({ deviceName }) => !known.has(deviceName)).slice(0, devices))
    },
    settleLookedUp: (_, lookUps, each) =>
      defer(() => {
        kept.push(...lookUps)
        verdicts.push(...each)
        for (const { seq } of each) open.delete(seq)
        return of(open.size)
      }),
    hold: (_, why) => of(void held.push(why)),
    ownJobs: () => of(new Set<string>()),
  }
  const line = createLookUpLine({
    journal: journal as DriveJournal,
    calls,
    observe,
    random: () => 1,
    policy: { maxAttempts: 2, backoffMs: 1_000, backoffMaxMs: 1_000 },
    wake$: NEVER,
    stop$,
  })
  inVirtualTime(more.untilMs ?? 3_600_000, () => {
    provider.create(route, names).subscribe()
    timer(jobEndsAt + 1_000).subscribe(() => {
      more.meanwhile?.(calls)
      line.subscribe({
        error: (error: unknown) => {
          ended.error = error
        },
        complete: () => {
          ended.at = asyncScheduler.now()
        },
      })
    })
  })
  const fates: ReadonlyMap<string, Fate> = fatesOf(kept, job)
  const sums = events.reduce(
    (sum, event) =>
      event.kind === 'devices-looked-up'
        ? {
            moved: sum.moved + event.moved,
            elsewhere: sum.elsewhere + event.elsewhere,
            untold: sum.untold + event.untold,
          }
        : sum,
    { moved: 0, elsewhere: 0, untold: 0 },
  )
  const { provisioning: arrivals } = provider.audit.arrivals
  return { provider, limiter, kept, spent, verdicts, held, ended, fates, sums, arrivals }
}

const faulty =
  (fault: (n: number) => ReturnType<NonNullable<SimulatedProviderOptions['onCall']>>) =>
  (operation: Operation, n: number) =>
    operation === 'provisioning' ? fault(n) : 'ok'

describe('looking up devices', () => {
  it('tells devices that have moved from the others, stores the answers and counts the calls', () => {
    const { fates, kept, spent, verdicts, sums, arrivals } = run({})
    expect(fates).toEqual(new Map(names.map((name, index) => [name, index < 50 ? 'moved' : 'elsewhere'])))
    expect(kept).toHaveLength(100)
    expect(verdicts.filter(({ outcome }) => outcome === 'moved').map(({ seq }) => Number(seq))).toEqual(
      names.slice(0, 50).map((_, index) => index),
    )
    expect(spent).toEqual(names.map(() => 1))
    expect(arrivals).toHaveLength(100)
    expect(sums).toEqual({ moved: 50, elsewhere: 50, untold: 0 })
  })

  it('keeps the quota, and keeps no create and no poll waiting', () => {
    // No two are close together, since only two calls a second may be made.
    const instants = [0, 1_777, 3_500, 9_999, 30_000, 31_500].map(ms => jobEndsAt + 1_000 + ms)
    const { provider, fates } = run({
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
    expect(fates.size).toBe(100)
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
    const { fates, arrivals } = run({
      asked: names.slice(0, 10),
      provider: { onCall: faulty(n => faults[n - 1] ?? 'ok') },
    })
    expect([...fates.values()]).toEqual(Array(10).fill('moved'))
    // The one lost on its way never arrived, and the one not sent never left.
    expect(arrivals).toHaveLength(12)
  })

  it('asks about a device for an hour without an answer, and then holds an interrupted job', () => {
    const never = {
      asked: names.slice(0, 1),
      provider: { onCall: faulty(() => ({ kind: 'unanswered', code: 'iot.system.SystemException' })) },
      endedAs: 'interrupted',
    } as const
    expect(run(never).held).toEqual([])
    const { arrivals, kept, verdicts, held } = run({ ...never, untilMs: 4 * 3_600_000 })
    expect(arrivals).toHaveLength(25)
    expect([kept, verdicts]).toEqual([[], []])
    expect(held).toEqual(['look-ups are refused or not answered, and 1 move stays untold'])
  })

  it('sends no device of an interrupted job again without a look, although look-ups are refused', () => {
    const provider = { onCall: faulty(() => ({ kind: 'account-refused', code: 'Forbidden.RAM' })) }
    const { verdicts, held } = run({ shared: 0, provider, endedAs: 'interrupted' })
    expect(verdicts.length).toBeLessThan(10)
    expect(held).toEqual([expect.stringContaining('look-ups are refused or not answered')])
  })

  it('settles the others within half a minute while one device is asked again and again', () => {
    const { verdicts } = run({
      shared: 0,
      asked: names.slice(0, 10),
      untilMs: jobEndsAt + 30_000,
      // The first device's call, and its second.
      provider: { onCall: faulty(n => (n === 1 || n === 11 ? 'lose-answer' : 'ok')) },
    })
    expect(verdicts).toHaveLength(9)
  })

  it.each([
    ['the account may not ask', { kind: 'account-refused', code: 'Forbidden.RAM' }, 11],
    ['every answer has an unrecognised code', { kind: 'unknown', code: 'InvalidAction.NotFound' }, 6],
  ] as const)('does not go on when %s', (_, fault, most) => {
    const provider = { onCall: faulty(() => fault) }
    const { fates, arrivals, verdicts, sums, ended } = run({ shared: 0, provider })
    expect(arrivals.length).toBeLessThanOrEqual(most)
    expect([...fates.values()].every(fate => fate === 'cannot-tell')).toBe(true)
    expect(sums).toEqual({ moved: 0, elsewhere: 0, untold: 100 })
    expect(verdicts.map(({ code }) => code)).toEqual(Array(100).fill('unknown'))
    expect(ended.error).toBeNull()

    const without = run({ shared: 0, provider, holdUntold: 'no results could be read' })
    expect(without.arrivals.length).toBeLessThanOrEqual(most)
    expect(without.verdicts).toEqual([])
    expect(without.held).toEqual(['no results could be read, and 100 moves stay untold'])
  })

  it('waits until a refusal of the account has passed', () => {
    const { fates, arrivals, ended } = run({
      asked: names.slice(0, 10),
      provider: { onCall: faulty(n => (n <= 3 ? { kind: 'account-refused', code: 'Forbidden.RAM' } : 'ok')) },
    })
    expect([...fates.values()]).toEqual(Array(10).fill('moved'))
    expect(arrivals).toHaveLength(13)
    expect(ended.at).toBeGreaterThan(jobEndsAt + 120_000)
  })

  it('goes on past devices that the provider does not know', () => {
    const strangers = names.slice(0, 20).map(name => `unheard-of-${name}`)
    const { fates } = run({ asked: [...strangers, ...names.slice(0, 5)] })
    expect([...fates.values()]).toEqual([...Array(20).fill('cannot-tell'), ...Array(5).fill('moved')])
  })

  it('loses only a few answers when it ends without warning', () => {
    const { kept, arrivals } = run({ untilMs: jobEndsAt + 80_000 })
    expect(arrivals.length).toBeGreaterThan(50)
    expect(kept.length).toBeGreaterThan(arrivals.length - 30)
  })

  it('sends no further call once stopped, waits for none, and settles what was told', () => {
    const stop$ = new ReplaySubject<void>(1)
    const stopAt = jobEndsAt + 5_010
    const { ended, arrivals, kept, verdicts, limiter } = run({
      stop$,
      meanwhile: () => timer(stopAt - asyncScheduler.now()).subscribe(() => stop$.next()),
    })
    expect(ended.error).toBeNull()
    expect(ended.at).toBeLessThanOrEqual(stopAt + 80)
    expect(Math.max(...arrivals)).toBeLessThanOrEqual(stopAt + 40)
    expect(arrivals.length).toBeLessThan(10)
    expect(kept.length).toBeGreaterThan(0)
    expect(verdicts).toHaveLength(kept.length)
    expect(limiter.inFlight()).toBe(0)
  })

  it('fails when the lease is lost', () => {
    const { ended, arrivals } = run({ mayCall: () => asyncScheduler.now() < jobEndsAt + 4_000 })
    expect(ended.error).toBeInstanceOf(LeaseLostError)
    expect(Math.max(...arrivals)).toBeLessThan(jobEndsAt + 4_100)
  })
})
