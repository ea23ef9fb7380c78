/**
 * Devices a second from the requests topic to the results topic, with jobs of about 1 s and the shared cap lifted. The
 * bound in the same run: two creates a second of 10,000 devices are all that the provider takes.
 */
import { eachRecord } from '../test/support/read-topic'
import { until } from '../test/support/until'
import { peakRssMb, print } from './figures'
import { deviceNames, onStage, overRoutes } from './stage'

const devices = Number(process.env.BENCH_DEVICES ?? 200_000)
const routes = 20
const mostASecond = 20_000
const jobsOfOneSecond = ['--init-ms', '0', '--base-ms', '1000', '--per-device-ms', '0', '--jitter', '0']

export const throughput = (): Promise<boolean> =>
  onStage(jobsOfOneSecond, { QUOTA_QPS: '0' }, async deployment => {
    await deployment.submit(deviceNames(0, devices), overRoutes(routes))
    const startedAt = performance.now()
    const service = deployment.run()
    let counts: Readonly<Record<string, number>> = {}
    await until(async () => {
      // Before the service has migrated there is no view.
      counts = await deployment.conservation().catch(() => ({}))
      return (counts.moved ?? 0) >= devices
    }, 100)
    const settledAt = performance.now()
    await until(async () => (await deployment.unpublished()) === 0)
    const seconds = (performance.now() - startedAt) / 1000
    const rss = peakRssMb(service.child.pid ?? 0)
    const audit = await deployment.audit()
    const ids = new Set<string>()
    let records = 0
    await eachRecord(deployment.topics.results, ({ value }) => {
      ids.add((JSON.parse(String(value)) as { id: string }).id)
      records += 1
    })
    const calls = Object.values(audit.calls as Readonly<Record<string, number>>)
    print([
      ['devices', devices, `over ${routes} routes`],
      [
        'seconds, start of the service to last result',
        seconds.toFixed(1),
        `bound by creates: ${(devices / mostASecond).toFixed(1)}`,
      ],
      ['  of which until settled', ((settledAt - startedAt) / 1000).toFixed(1)],
      ['devices a second, end to end', Math.round(devices / seconds), `limit: ${mostASecond}`],
      ['calls', calls.reduce((sum, each) => sum + each, 0)],
      ['jobs', Number(audit.ownJobs), `fewest possible: ${Math.ceil(devices / 10_000)}`],
      ['most jobs open', Number(audit.maxOpenJobs), 'limit: 10'],
      ['quota breaches at the provider', Number(audit.breaches), 'limit: 0'],
      ['peak RSS of the service, MB', rss.toFixed(0)],
      ['results, distinct ids', `${records}, ${ids.size}`, `expected: ${devices}`],
      ['conservation gap', counts.gap ?? -1, 'limit: 0'],
    ])
    return counts.gap === 0 && audit.breaches === 0 && records === devices && ids.size === devices
  })
