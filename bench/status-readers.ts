/**
 * What people who look cost the work: the same devices are moved without a reader, and with 100 that ask `/api/status` and
 * `/metrics` in turn for as long as it takes. Quotas are as in `throughput`, so that the machine is what limits.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { urlOf } from '../test/support/cli-process'
import { until } from '../test/support/until'
import { print } from './figures'
import { deviceNames, onStage, overRoutes } from './stage'

const devices = Number(process.env.BENCH_DEVICES ?? 200_000)
const readers = Number(process.env.BENCH_READERS ?? 100)
const routes = 20
const jobsOfOneSecond = ['--init-ms', '0', '--base-ms', '1000', '--per-device-ms', '0', '--jitter', '0']
/** A reader asks again this long after its answer, ms. */
const betweenMs = 1_000
/** With the readers it may take this much longer than without. The rest is what their answers cost this machine. */
const mostRatio = 1.5
/** The longest that 99 of 100 answers may take, ms. */
const mostMs = 1_000

interface Trial {
  readonly seconds: number
  /** How long each answer took, ms, shortest first. */
  readonly answers: readonly number[]
  readonly failed: number
  readonly gap: number
}

const paths = ['/api/status', '/metrics']

/** Asks in turn until `isOver`. A connection that is refused or cut counts as a failed answer. */
const read = async (url: string, first: number, isOver: () => boolean): Promise<(number | null)[]> => {
  const took: (number | null)[] = []
  for (let asked = first; !isOver(); asked += 1) {
    const since = performance.now()
    const isGood = await fetch(`${url}${paths[asked % paths.length]}`)
      .then(async answer => (await answer.text()) !== '' && answer.ok)
      .catch(() => false)
    took.push(isGood ? performance.now() - since : null)
    await pause(betweenMs)
  }
  return took
}

const move = (count: number): Promise<Trial> =>
  onStage(jobsOfOneSecond, { QUOTA_QPS: '0' }, async deployment => {
    await deployment.submit(deviceNames(0, devices), overRoutes(routes))
    const startedAt = performance.now()
    const service = deployment.run()
    const url = await urlOf(service)
    await service.line(line => line.includes('"lease-held"'))
    let isOver = false
    const asked = Array.from({ length: count }, (_, index) => read(url, index, () => isOver))
    let counts: Readonly<Record<string, number>> = {}
    await until(async () => {
      counts = await deployment.conservation()
      return (counts.moved ?? 0) >= devices
    }, 200)
    const seconds = (performance.now() - startedAt) / 1000
    isOver = true
    const took = (await Promise.all(asked)).flat()
    const answers = took.filter(ms => ms !== null).sort((a, b) => a - b)
    return { seconds, answers, failed: took.length - answers.length, gap: counts.gap ?? -1 }
  })

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

export const statusReaders = async (): Promise<boolean> => {
  const alone = await move(0)
  const watched = await move(readers)
  const ratio = watched.seconds / alone.seconds
  const slowest = quantile(watched.answers, 0.99)
  print([
    ['devices', devices, `over ${routes} routes`],
    ['seconds until settled, no reader', alone.seconds.toFixed(1)],
    [`seconds until settled, ${readers} readers`, watched.seconds.toFixed(1)],
    ['ratio', ratio.toFixed(2), `limit: ${mostRatio}`],
    ['answers', watched.answers.length],
    ['an answer, median, ms', quantile(watched.answers, 0.5).toFixed(0)],
    ['an answer, 99th percentile, ms', slowest.toFixed(0), `limit: ${mostMs}`],
    ['answers that failed', watched.failed, 'limit: 0'],
    ['conservation gap', Math.max(alone.gap, watched.gap), 'limit: 0'],
  ])
  return ratio <= mostRatio && slowest <= mostMs && watched.failed === 0 && alone.gap + watched.gap === 0
}
