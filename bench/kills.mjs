// One replica, killed with kill -9 five times on its way through a fleet: what is lost, and what moved twice.
import { setTimeout as pause } from 'node:timers/promises'
import { deploy, print } from './deployment.mjs'

const devices = Number(process.env.BENCH_DEVICES ?? 100_000)
const kills = 5

export const killed = async () => {
  const deployment = await deploy({
    simulatorFlags: [
      '--init-ms',
      '100',
      '--base-ms',
      '1500',
      '--per-device-ms',
      '0.1',
      '--device-faults',
      '[{"code":"iot.system.SystemException","rate":0.01}]',
    ],
    settings: { BATCH_MAX_DEVICES: '2500', RETRY_BACKOFF_MS: '1000', CREATE_SETTLE_MS: '5000' },
  })
  try {
    await deployment.submit(devices, 20)
    const startedAt = performance.now()
    let worstGap = 0
    const watch = setInterval(async () => {
      const counts = await deployment.conservation()
      if (counts !== null) worstGap = Math.max(worstGap, Math.abs(counts.gap))
    }, 200)
    for (let kill = 1; kill <= kills; kill += 1) {
      const service = deployment.run()
      const target = Math.round((devices * kill) / (kills + 1.5))
      await deployment.until(({ moved }) => moved >= target)
      // At any moment of a job, not just after one was settled.
      await pause(137 * kill)
      service.child.kill('SIGKILL')
      await service.ended
    }
    deployment.run()
    const counts = await deployment.until(({ moved, failed }) => moved + failed >= devices)
    while ((await deployment.unpublished()) > 0) await pause(50)
    clearInterval(watch)
    const [audit, truth, results] = [
      await deployment.audit(),
      await deployment.truth(),
      await deployment.results(),
    ]
    print([
      ['devices', devices],
      ['kill -9', kills],
      ['seconds', ((performance.now() - startedAt) / 1000).toFixed(0)],
      ['moved / failed for good', `${counts.moved} / ${counts.failed}`],
      ['lost', devices - counts.moved - counts.failed, 'limit: 0'],
      ['moved twice (the provider’s own count)', truth.movedTwice, 'limit: 0'],
      ['final results on the topic', results.finals, `expected: ${devices}`],
      ['results twice for a reader of committed records', results.records - results.distinct, 'limit: 0'],
      ['quota breaches at the provider', audit.breaches, 'limit: 0'],
      ['most jobs open', audit.maxOpenJobs, 'limit: 10'],
      ['largest conservation gap seen on the way', worstGap, 'limit: 0'],
    ])
    return (
      truth.movedTwice === 0 &&
      audit.breaches === 0 &&
      worstGap === 0 &&
      results.finals === devices &&
      results.records === results.distinct
    )
  } finally {
    await deployment.stop()
  }
}
