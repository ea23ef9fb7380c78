/**
 * A storm of interruptions: full jobs are interrupted without a result file, one after the other, and half of their devices
 * have moved. Then fresh devices of another product arrive, which must not wait until all those are looked up. The service
 * runs whole, in virtual time, on the journal in memory; a minute of it takes a second.
 */
import { createSimulatedProvider } from '../test/support/simulated-provider'
import { routeTo } from '../test/support/virtual-driver'
import { print } from './figures'
import { runWorld } from './quota-world'

const jobs = Number(process.env.BENCH_JOBS ?? 50)
const perJob = 10_000
const fresh = 20_000
/** All the jobs have ended by then. */
const freshAt = 120_000
const minutes = 15

export const lookUpStorm = async (): Promise<boolean> => {
  const began = performance.now()
  let ended = 0
  const world = runWorld({
    provider: ({ random }) =>
      createSimulatedProvider({
        random,
        latencyMs: draw => 20 + 40 * draw(),
        jobBaseMs: 8_000,
        jobPerDeviceMs: 0,
        qps: { shared: 2, create: 2, detail: 5, query: 10, list: 5, provisioning: 50 },
        onJobEnd: () => {
          ended += 1
          return ended <= jobs ? 'interrupted-without-file' : 'completed'
        },
      }),
    routes: [routeTo('iot-target'), routeTo('iot-target', { productKey: 'a1Other' })],
    lots: [
      { at: 0, route: 0, from: 0, count: jobs * perJob },
      { at: freshAt, route: 1, from: jobs * perJob, count: fresh },
    ],
    untilMs: freshAt + minutes * 60_000,
  })
  const settled = world.settledAt.slice(jobs * perJob).filter(at => at !== null)
  const lastAt = settled.reduce((latest, at) => Math.max(latest, at), 0)
  const isDone = settled.length === fresh
  const movedTwice = [...world.provider.moves.values()].filter(times => times > 1).length
  print([
    ['devices of interrupted jobs', jobs * perJob, `${jobs} jobs without a result file`],
    ['fresh devices settled', settled.length, `of ${fresh}, within ${minutes} minutes`],
    ['seconds until they are', isDone ? ((lastAt - freshAt) / 1_000).toFixed(1) : 'never', 'limit: 60'],
    ['look-ups a second meanwhile', ((world.calls.provisioning ?? 0) / (world.endedAt / 1_000)).toFixed(2)],
    ['devices moved twice', movedTwice, 'limit: 0'],
    ['most calls in a second', world.provider.audit.maxCallsInAnySecond(), 'limit: 2'],
    ['defects', world.defects.length, 'limit: 0'],
    ['seconds, real', ((performance.now() - began) / 1_000).toFixed(1)],
  ])
  return isDone && lastAt - freshAt <= 60_000 && movedTwice === 0 && world.defects.length === 0
}
