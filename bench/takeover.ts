/**
 * Three replicas under a steady load. The one that drives is killed, or frozen and woken later, again and again. Measured
 * are the time until another drives, and whether anything was lost, done twice, or called by the one that woke.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { CliProcess } from '../test/support/cli-process'
import type { Deployment } from '../test/support/deployment'
import { startTcpProxy, type TcpProxy } from '../test/support/tcp-proxy'
import { until } from '../test/support/until'
import { print } from './figures'
import { deviceNames, onStage, overRoutes } from './stage'

const rounds = Number(process.env.BENCH_ROUNDS ?? 20)
const limitMs = 15_000
const replicas = 3
const routes = 20
/** Devices of one round. They are more than are moved meanwhile, so there is always something to drive. */
const devicesOfARound = 1_000
const provider = ['--qps', '2', '--init-ms', '100', '--base-ms', '1500', '--per-device-ms', '0.1']
const settings = { BATCH_MAX_DEVICES: '100', CREATE_SETTLE_MS: '5000' }

type Ending = 'SIGKILL' | 'SIGSTOP'

/** A replica with a way to the provider of its own, on which what it sends is counted. */
interface Watched {
  readonly process: CliProcess
  /** Pieces of calls, not whole calls: 0 means no call. */
  calls(): number
  /** Resolves at the next event of this kind. */
  says(kind: string): Promise<string>
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const seconds = (ms: number): string => (ms / 1_000).toFixed(1)

/** Resolves with the replica that is the first to say that it drives, from now on. */
const nextDriver = (among: readonly Watched[]): Promise<Watched> =>
  Promise.race(among.map(replica => replica.says('lease-held').then(() => replica)))

const createStarter = (deployment: Deployment, links: TcpProxy[]) => async (): Promise<Watched> => {
  const link = await startTcpProxy(Number(new URL(deployment.simulatorUrl).port))
  links.push(link)
  let calls = 0
  link.inspect((_, direction) => {
    if (direction === 'up') calls += 1
    return 'pass'
  })
  const process = deployment.run({ IOT_ENDPOINT: `http://127.0.0.1:${link.port}` })
  return {
    process,
    calls: () => calls,
    says: kind => {
      const said = process.nextLine(line => line.includes(`"msg":"${kind}"`))
      // It may be killed before it says it.
      said.catch(() => undefined)
      return said
    },
  }
}

const measure = async (deployment: Deployment, links: TcpProxy[]): Promise<boolean> => {
  const took: Record<Ending, number[]> = { SIGKILL: [], SIGSTOP: [] }
  const start = createStarter(deployment, links)
  const moved = async (): Promise<number> => (await deployment.conservation().catch(() => null))?.moved ?? -1
  let callsOfWoken = 0
  let running = await Promise.all(Array.from({ length: replicas }, start))
  let driver = await nextDriver(running)
  for (let round = 0; round < rounds; round += 1) {
    await deployment.submit(deviceNames(round * devicesOfARound, devicesOfARound), overRoutes(routes))
    // The driver ends at a random moment of its work.
    const before = await moved()
    await until(async () => (await moved()) > Math.max(before, 0))
    await pause((round * 137) % 1_000)
    const how = round % 2 === 0 ? 'SIGKILL' : 'SIGSTOP'
    const others = running.filter(replica => replica !== driver)
    const successor = nextDriver(others)
    const endedAt = performance.now()
    driver.process.kill(how)
    const next = await successor
    const tookMs = performance.now() - endedAt
    took[how].push(tookMs)
    if (how === 'SIGKILL') running = [...others, await start()]
    else {
      const callsBefore = driver.calls()
      const standsBy = driver.says('standing-by')
      driver.process.kill('SIGCONT')
      await standsBy
      // Time for whatever was due when it woke.
      await pause(300)
      callsOfWoken += driver.calls() - callsBefore
    }
    console.log(`  ${how} ${seconds(tookMs)} s`)
    driver = next
  }
  const counts = await deployment.conservation()
  const [audit, truth] = [await deployment.audit(), await deployment.truth()]
  const all = [...took.SIGKILL, ...took.SIGSTOP]
  print([
    ['take-overs by kill -9, by SIGSTOP', `${took.SIGKILL.length}, ${took.SIGSTOP.length}`],
    ...Object.entries(took).map(
      ([how, times]) =>
        [
          `${how}: seconds to the next driver, median / maximum`,
          `${seconds(median(times))} / ${seconds(Math.max(0, ...times))}`,
          `limit: ${limitMs / 1_000}`,
        ] as const,
    ),
    ['calls of frozen drivers after waking', callsOfWoken, 'limit: 0'],
    ['devices moved on the way', counts.moved ?? 0],
    ['moved twice (the provider’s own count)', Number(truth.movedTwice), 'limit: 0'],
    ['quota breaches at the provider', Number(audit.breaches), 'limit: 0'],
    ['conservation gap', counts.gap ?? -1, 'limit: 0'],
  ])
  return (
    Math.max(...all) <= limitMs &&
    callsOfWoken === 0 &&
    truth.movedTwice === 0 &&
    audit.breaches === 0 &&
    counts.gap === 0
  )
}

export const takeover = (): Promise<boolean> =>
  onStage(provider, settings, async deployment => {
    const links: TcpProxy[] = []
    try {
      return await measure(deployment, links)
    } finally {
      for (const link of links) await link.close()
    }
  })
