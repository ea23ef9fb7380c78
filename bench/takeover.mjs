// Three replicas under a steady load; the one that drives is killed, or frozen and woken later, again and again: how
// long until another drives, and whether anything was lost, done twice, or called by the one that woke.
import { setTimeout as pause } from 'node:timers/promises'
import { deploy, print } from './deployment.mjs'

const rounds = Number(process.env.BENCH_ROUNDS ?? 20)
const limitMs = 15_000
const replicas = 3
/** Of one round: more than are moved meanwhile, so that there is always something to drive. */
const devicesOfARound = 1_000

const median = values => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
const seconds = ms => (ms / 1_000).toFixed(1)

/** Resolves with the replica that first says it drives, from now on. */
const nextDriver = among => Promise.race(among.map(replica => replica.says('lease-held').then(() => replica)))

export const takeover = async () => {
  const deployment = await deploy({
    simulatorFlags: ['--qps', '2', '--init-ms', '100', '--base-ms', '1500', '--per-device-ms', '0.1'],
    settings: { BATCH_MAX_DEVICES: '100', CREATE_SETTLE_MS: '5000' },
  })
  const took = { SIGKILL: [], SIGSTOP: [] }
  let callsOfWoken = 0
  let devices = 0
  try {
    let running = await Promise.all(Array.from({ length: replicas }, () => deployment.runWatched()))
    let driver = await nextDriver(running)
    for (let round = 0; round < rounds; round += 1) {
      await deployment.submit(devicesOfARound, 20, devices)
      devices += devicesOfARound
      // At any moment of its work.
      const movedBefore = (await deployment.until(({ moved }) => moved >= 0)).moved
      await deployment.until(({ moved }) => moved > movedBefore)
      await pause((round * 137) % 1_000)
      const how = round % 2 === 0 ? 'SIGKILL' : 'SIGSTOP'
      const others = running.filter(replica => replica !== driver)
      const successor = nextDriver(others)
      const before = performance.now()
      driver.child.kill(how)
      const next = await successor
      took[how].push(performance.now() - before)
      if (how === 'SIGKILL') running = [...others, await deployment.runWatched()]
      else {
        const callsBefore = driver.calls()
        const standsBy = driver.says('standing-by')
        driver.child.kill('SIGCONT')
        await standsBy
        // Whatever was due when it woke.
        await pause(300)
        callsOfWoken += driver.calls() - callsBefore
      }
      console.log(`  ${how} ${seconds(took[how].at(-1))} s`)
      driver = next
    }
    const counts = await deployment.conservation()
    const [audit, truth] = [await deployment.audit(), await deployment.truth()]
    const all = [...took.SIGKILL, ...took.SIGSTOP]
    print([
      ['take-overs by kill -9, by SIGSTOP', `${took.SIGKILL.length}, ${took.SIGSTOP.length}`],
      ...Object.entries(took).map(([how, times]) => [
        `${how}: seconds to the next driver, median / maximum`,
        `${seconds(median(times))} / ${seconds(Math.max(...times))}`,
        `limit: ${limitMs / 1_000}`,
      ]),
      ['calls of frozen drivers after waking', callsOfWoken, 'limit: 0'],
      ['devices moved on the way', counts.moved],
      ['moved twice (the provider’s own count)', truth.movedTwice, 'limit: 0'],
      ['quota breaches at the provider', audit.breaches, 'limit: 0'],
      ['conservation gap', counts.gap, 'limit: 0'],
    ])
    return (
      Math.max(...all) <= limitMs &&
      callsOfWoken === 0 &&
      truth.movedTwice === 0 &&
      audit.breaches === 0 &&
      counts.gap === 0
    )
  } finally {
    await deployment.stop()
  }
}
