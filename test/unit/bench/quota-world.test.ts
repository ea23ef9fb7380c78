import { asyncScheduler, NEVER } from 'rxjs'
import { createWorldProvider, type Lot, runWorld, type WorldOptions } from '../../../bench/quota-world'
import type { SimulatedProvider } from '../../support/simulated-provider'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock'
import { routeTo } from '../../support/virtual-driver'

const routes = ['iot-b', 'iot-c', 'iot-d'].map(target => routeTo(target))
/** 2,000 moves: the routes in turn, one lot later than the others. */
const lots: readonly Lot[] = [
  { at: 0, route: 0, from: 0, count: 900 },
  { at: 0, route: 1, from: 900, count: 600 },
  { at: 90_000, route: 2, from: 1_500, count: 500 },
]
const minute = 60_000

const run = (more: Partial<WorldOptions<SimulatedProvider>> = {}) =>
  runWorld({
    provider: createWorldProvider({ fullJobMs: minute, fullJobDevices: 100 }),
    lots,
    routes,
    env: { QUOTA_JOBS: '4', BATCH_MAX_DEVICES: '100' },
    untilMs: 60 * minute,
    ...more,
  })

describe('a world of 2,000 devices over three routes, with jobs of a minute', () => {
  const world = run()

  it('settles every move, none before it was there', () => {
    expect(world.settledAt).toHaveLength(2_000)
    const arrivedAt = lots.flatMap(({ at, count }) => Array.from({ length: count }, () => at))
    expect(world.settledAt.filter((at, index) => at === null || at <= (arrivedAt[index] ?? 0))).toEqual([])
    expect([world.moved, world.failed, world.defects]).toEqual([2_000, 0, []])
    expect([...world.provider.moves.values()].filter(times => times !== 1)).toEqual([])
  })

  it('keeps the quota of calls and of open jobs, as the provider sees it', () => {
    expect(world.provider.audit.maxCallsInAnySecond()).toBeLessThanOrEqual(2)
    expect(world.provider.maxOpenJobs()).toBe(4)
    expect([world.throttled, world.slotsFull]).toEqual([0, 0])
    expect(world.calls.create).toBe(world.jobs)
  })

  it('takes little longer than its 20 jobs of a minute on four slots', () => {
    expect(world.jobs).toBe(20)
    expect(world.endedAt).toBeLessThan((20 / 4) * minute * 1.5)
  })

  it('runs the same for the same seed, and otherwise for another', () => {
    expect(run().settledAt).toEqual(world.settledAt)
    expect(run({ seed: 2 }).settledAt).not.toEqual(world.settledAt)
  })
})

describe('a world', () => {
  it('reads its configuration from environment variables and refuses a wrong one', () => {
    expect(run({ env: { QUOTA_JOBS: '2', BATCH_MAX_DEVICES: '1000' } }).provider.maxOpenJobs()).toBe(2)
    expect(() => run({ env: { QUOTA_JOBS: 'many' } })).toThrow('QUOTA_JOBS must be a whole number')
  })

  it('runs on a clock and a provider that the caller brings', () => {
    const own = createVirtualClock({ startAt: 5_000, random: () => 0 })
    let timers = 0
    const clock: VirtualClock = {
      ...own,
      after: (ms, act) => {
        timers += 1
        return own.after(ms, act)
      },
    }
    const provider = createWorldProvider({ fullJobMs: 1_000 })({ clock, random: () => 0.5 })
    const world = run({ clock, provider })
    expect(world.provider).toBe(provider)
    expect(world.settledAt).not.toContain(null)
    expect(timers).toBeGreaterThan(100)
    expect(clock.now()).toBe(5_000 + world.endedAt)
  })

  it('tells which moves are not settled when its time is over', () => {
    const world = run({ untilMs: minute })
    expect(world.settledAt).toContain(null)
    expect(world.endedAt).toBeLessThanOrEqual(minute)
    const silent = {
      ...createWorldProvider({ fullJobMs: 1 })({
        clock: createVirtualClock({ random: () => 0 }),
        random: () => 0,
      }),
      list: () => NEVER,
    }
    expect(run({ provider: silent }).settledAt.every(at => at === null)).toBe(true)
  })

  it('takes into account how long earlier jobs took', () => {
    const [cold, warm] = [run(), run({ warmMs: minute })]
    expect(warm.calls.list).not.toBe(cold.calls.list)
    expect(warm.settledAt).not.toContain(null)
  })

  it('gives rxjs its own timers back', () => {
    run()
    expect(Math.abs(Date.now() - asyncScheduler.now())).toBeLessThan(1_000)
  })
})
