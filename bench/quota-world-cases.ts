/**
 * A million devices over 20 routes, with jobs of 60 s, through the whole service in virtual time: how near it comes to
 * what ten slots allow, and what it costs in calls. Nothing here waits: the run takes well under a minute.
 */
import { print } from './figures'
import { createWorldProvider, runWorld } from './quota-world'

const devices = Number(process.env.BENCH_DEVICES ?? 1_000_000)
const routes = 20
const jobSeconds = 60

export const quotaWorld = async (): Promise<boolean> => {
  const perRoute = Math.floor(devices / routes)
  const began = performance.now()
  const world = runWorld({
    provider: createWorldProvider({ fullJobMs: jobSeconds * 1_000 }),
    routes: Array.from({ length: routes }, (_, at) => ({
      productKey: 'a1BwAGVexmp',
      sourceInstanceId: 'iot-source',
      strategy: 0 as const,
      targetInstanceIds: [`iot-target-${at}`],
      targetUid: '1984000000000001',
      targetAliyunId: null,
      priority: 'normal' as const,
    })),
    lots: Array.from({ length: routes }, (_, route) => ({
      at: 0,
      route,
      from: route * perRoute,
      count: perRoute,
    })),
    untilMs: 24 * 3_600_000,
  })
  const calls = Object.values(world.calls).reduce((sum, count) => sum + count, 0)
  const mostCalls = world.provider.audit.maxCallsInAnySecond()
  const unsettled = world.settledAt.filter(at => at === null).length
  print([
    ['devices', perRoute * routes, `over ${routes} routes`],
    ['seconds, virtual', (world.endedAt / 1_000).toFixed(0), `jobs of ${jobSeconds} s on 10 slots`],
    ['calls a job', (calls / world.jobs).toFixed(2), `jobs: ${world.jobs}`],
    ['most calls in a second', mostCalls, 'limit: 2'],
    ['most jobs open', world.provider.maxOpenJobs(), 'limit: 10'],
    ['moves not settled', unsettled, 'limit: 0'],
    ['seconds, real', ((performance.now() - began) / 1_000).toFixed(1)],
  ])
  return unsettled === 0 && mostCalls <= 2 && world.provider.maxOpenJobs() <= 10
}
