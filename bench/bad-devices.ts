/**
 * Bad devices that make the provider refuse the whole batch, through the whole service in virtual time: how many creates
 * it takes to find them, and what the search leaves to fresh work.
 */
import type { RouteFields } from '../src/domain/route'
import { createSimulatedProvider } from '../test/support/simulated-provider'
import { seeded } from '../test/support/virtual-driver'
import { print } from './figures'
import { type Lot, runWorld } from './quota-world'

const devices = 10_000
const seeds = [1, 2, 3, 4, 5]
const hour = 3_600_000
const fullJobMs = 60_000

const routeTo = (target: string): RouteFields => ({
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-source',
  strategy: 0,
  targetInstanceIds: [target],
  targetUid: '1984000000000001',
  targetAliyunId: null,
  priority: 'normal',
})

const drawBad = (count: number, random: () => number): ReadonlySet<string> => {
  const bad = new Set<string>()
  while (bad.size < count) bad.add(`move-${Math.floor(random() * devices)}`)
  return bad
}

/** One full batch with bad devices on route 0, and `more` lots on other routes. */
const searchWorld = (k: number, seed: number, more: readonly Lot[] = []) => {
  const random = seeded(seed * 31 + k)
  const bad = drawBad(k, random)
  /** Of each job: its target, and from when to when it was open. */
  const jobs: { readonly target: string; readonly from: number; readonly until: number }[] = []
  let creates = 0
  const world = runWorld({
    seed,
    routes: ['iot-bad', 'iot-1', 'iot-2', 'iot-3', 'iot-4'].map(routeTo),
    lots: [{ at: 0, route: 0, from: 0, count: devices }, ...more],
    untilMs: 48 * hour,
    provider: ({ clock, random: draw }) => {
      let durationMs = 0
      return createSimulatedProvider({
        random: draw,
        latencyMs: one => 20 + 40 * one(),
        jobMs: count => {
          durationMs = fullJobMs / 2 + (fullJobMs / 2) * (count / devices)
          return durationMs
        },
        onJobStart: ({ route }) => {
          const target = route.targetInstanceIds.join()
          jobs.push({ target, from: clock.now(), until: clock.now() + durationMs })
        },
        refuse: (route, names) => {
          if (route.targetInstanceIds[0] !== 'iot-bad') return null
          creates += 1
          if (!names.some(name => bad.has(name))) return null
          const message = 'a device is not one of this account'
          return { ok: false, kind: 'batch-refused', code: 'iot.common.AuthActionPermissionDeny', message }
        },
        qps: { shared: 2, create: 2, detail: 5, query: 10, list: 5, provisioning: 50 },
      })
    },
  })
  const healthyMoved = [...world.provider.moves].filter(
    ([device]) => !bad.has(device.split('/')[1] ?? ''),
  ).length
  const total = devices + more.reduce((sum, { count }) => sum + count, 0)
  return { world, jobs, creates, healthyFailed: total - k - healthyMoved, bad }
}

/** Slot time of the search, as a share of all, while fresh work was still waiting. */
const slotShare = ({ jobs }: ReturnType<typeof searchWorld>): number => {
  const lastFresh = Math.max(...jobs.filter(({ target }) => target !== 'iot-bad').map(({ from }) => from))
  const of = (wanted: (target: string) => boolean): number =>
    jobs
      .filter(({ target }) => wanted(target))
      .reduce((sum, { from, until }) => sum + Math.max(0, Math.min(until, lastFresh) - from), 0)
  return of(target => target === 'iot-bad') / of(() => true)
}

export const badDevices = async (): Promise<boolean> => {
  let isGood = true
  for (const k of [1, 4, 20, 100]) {
    const bound = Math.ceil(2 * k * Math.log2(devices / k) + 2 * k)
    const runs = seeds.map(seed => searchWorld(k, seed))
    const most = Math.max(...runs.map(({ creates }) => creates))
    const healthyFailed = Math.max(...runs.map(run => run.healthyFailed))
    const failed = runs.map(({ world }) => world.failed)
    print([
      [`creates, ${k} bad`, most, `the most of ${seeds.length} runs; bound: ${bound}`],
      ['healthy failed', healthyFailed, 'limit: 0'],
      ['bad failed', failed.join(' '), `each: ${k}`],
    ])
    isGood &&= most <= bound && healthyFailed === 0 && failed.every(count => count === k)
    isGood &&= runs.every(({ world }) => world.defects.length === 0)
  }
  const fresh = [1, 2, 3, 4].map((route): Lot => ({ at: 0, route, from: route * 200_000, count: 200_000 }))
  const busy = searchWorld(20, 1, fresh)
  const share = slotShare(busy)
  print([
    ['beside 800,000 fresh', (share * 100).toFixed(1), '% of slot time for 20 bad; limit: 25'],
    ['healthy failed', busy.healthyFailed, 'limit: 0'],
    ['creates', busy.creates],
    ['seconds, virtual', (busy.world.endedAt / 1_000).toFixed(0)],
  ])
  return isGood && share <= 0.25 && busy.healthyFailed === 0
}
