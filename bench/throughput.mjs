// Devices a second from the requests topic to the results topic, with jobs of about 1 s and the shared cap lifted.
// Limit in the same run: two creates a second of 10,000 devices are all the provider would take.
import { deploy, peakRssMb, print } from './deployment.mjs'

const devices = Number(process.env.BENCH_DEVICES ?? 200_000)
const routes = 20

export const throughput = async () => {
  const deployment = await deploy({
    simulatorFlags: ['--init-ms', '0', '--base-ms', '1000', '--per-device-ms', '0', '--jitter', '0'],
    settings: { QUOTA_QPS: '0' },
  })
  try {
    await deployment.submit(devices, routes)
    const startedAt = performance.now()
    const service = deployment.run()
    const counts = await deployment.until(({ moved }) => moved >= devices)
    const settledAt = performance.now()
    while ((await deployment.unpublished()) > 0) await new Promise(resolve => setTimeout(resolve, 50))
    const publishedAt = performance.now()
    const rss = peakRssMb(service.child.pid)
    const [audit, results] = [await deployment.audit(), await deployment.results()]
    const seconds = (publishedAt - startedAt) / 1000
    const bound = devices / 20_000
    print([
      ['devices', devices, `over ${routes} routes`],
      [
        'seconds, start of the service to last result',
        seconds.toFixed(1),
        `bound by creates: ${bound.toFixed(1)}`,
      ],
      ['  of which until settled', ((settledAt - startedAt) / 1000).toFixed(1)],
      ['devices a second, end to end', Math.round(devices / seconds), 'limit: 20000'],
      ['calls', Object.values(audit.calls).reduce((sum, calls) => sum + calls, 0)],
      ['jobs', audit.ownJobs, `fewest possible: ${Math.ceil(devices / 10_000)}`],
      ['most jobs open', audit.maxOpenJobs, 'limit: 10'],
      ['quota breaches at the provider', audit.breaches, 'limit: 0'],
      ['peak RSS of the service, MB', rss.toFixed(0)],
      ['results, distinct ids', `${results.records}, ${results.distinct}`, `expected: ${devices}`],
      ['conservation gap', counts.gap, 'limit: 0'],
    ])
    return (
      counts.gap === 0 && audit.breaches === 0 && results.records === devices && results.distinct === devices
    )
  } finally {
    await deployment.stop()
  }
}
