/**
 * How long thin routes wait behind full ones, through the whole service in virtual time: full routes with a long backlog,
 * and thin routes of 50 devices that come with them or later.
 */
import { routeTo } from '../test/support/virtual-driver'
import { type Figure, print } from './figures'
import { createWorldProvider, runWorld } from './quota-world'

interface Case {
  readonly full: number
  readonly fullDevices: number
  readonly thin: number
  readonly jobSeconds: number
  /** When the thin routes come, seconds after the full ones. */
  readonly thinAt: number
  /** QUOTA_QPS. At 2 calls a second jobs of 8 s wait for calls and not for slots, so that case lifts the cap. */
  readonly qps: number
  /** What the last outcome may take: two mean job times and this, s. */
  readonly grace: number
  /** Seconds of the thin ones and of all, when full routes always came first. */
  readonly before: readonly [thin: number, all: number]
}

const cases: readonly Case[] = [
  { full: 4, fullDevices: 200_000, thin: 10, jobSeconds: 8, thinAt: 0, qps: 0, grace: 15, before: [79, 79] },
  { full: 4, fullDevices: 200_000, thin: 20, jobSeconds: 8, thinAt: 0, qps: 0, grace: 15, before: [84, 84] },
  {
    full: 10,
    fullDevices: 60_000,
    thin: 20,
    jobSeconds: 60,
    thinAt: 100,
    qps: 2,
    grace: 30,
    before: [373, 473],
  },
]
const thinDevices = 50

const measure = ({ full, fullDevices, thin, jobSeconds, thinAt, qps }: Case) => {
  const lots = Array.from({ length: full + thin }, (_, route) => {
    const isFull = route < full
    return {
      at: isFull ? 0 : thinAt * 1_000,
      route,
      from: Math.min(route, full) * fullDevices + Math.max(0, route - full) * thinDevices,
      count: isFull ? fullDevices : thinDevices,
    }
  })
  const world = runWorld({
    // The provider keeps its caps on each operation where the service has no cap on all of them together.
    provider: createWorldProvider({ fullJobMs: jobSeconds * 1_000, qps: qps === 0 ? 22 : qps }),
    routes: lots.map(({ route }) => routeTo(`iot-target-${route}`)),
    lots,
    env: { QUOTA_QPS: String(qps) },
    untilMs: 24 * 3_600_000,
  })
  const last = world.settledAt
    .slice(full * fullDevices)
    .reduce<number>((most, at) => Math.max(most, at ?? Number.POSITIVE_INFINITY), 0)
  return { thinSeconds: last / 1_000 - thinAt, seconds: world.endedAt / 1_000 }
}

export const thinRoutes = async (): Promise<boolean> => {
  let isGood = true
  const figures: Figure[] = []
  for (const each of cases) {
    const { full, fullDevices, thin, jobSeconds, grace, before } = each
    const { thinSeconds, seconds } = measure(each)
    const most = 2 * jobSeconds + grace
    isGood = isGood && thinSeconds <= most
    figures.push(
      [
        `${thin} thin behind ${full} full of ${fullDevices}, jobs of ${jobSeconds} s: last outcome, s`,
        thinSeconds.toFixed(1),
        `limit: ${most} (before: ${before[0]})`,
      ],
      ['  all outcomes, s', seconds.toFixed(0), `before: ${before[1]}`],
    )
  }
  print(figures)
  return isGood
}
