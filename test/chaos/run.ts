// A fleet moves while everything that can break is broken, on a schedule that a seed decides. Then every request is
// compared with the database, the topics and what the provider did. Exit code 0 means that all is as promised.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../src/domain/error-text'
import { createRandom, hash32 } from '../../src/tools/simulator/random'
import { createDisturber } from './disturb'
import { fleetRecords } from './fleet'
import { type ChaosOptions, readOptions, usage } from './options'
import { produce } from './produce'
import { watchProgress } from './progress'
import { startReplicas } from './replicas'
import { asText, figures, isGood } from './report'
import { describe, planDisturbances } from './schedule'
import { setStage } from './stage'
import { judge } from './verdict'

/** If nothing changes for this long while everything works again, the run is stuck, ms. */
const patienceMs = 240_000
const producers = 2

const startedAt = performance.now()
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} ${text}\n`)
}

const run = async (options: ChaosOptions, logs: string): Promise<boolean> => {
  const { seed, devices, forMs } = options
  const plan = planDisturbances(createRandom(hash32(seed, 'schedule')), options)
  const fleet = [...fleetRecords(options)]
  say(`seed ${seed}: ${devices} devices, ${plan.length} disturbances; logs in ${logs}`)
  const stage = await setStage(options)
  const { deployment } = stage
  const replicas = startReplicas({
    count: options.replicas,
    run: index => deployment.run(stage.environmentOf(index)),
    logs,
    say,
  })
  const progress = watchProgress(deployment, patienceMs, say)
  try {
    // Disturbances begin once everything is up, since before that they would test little.
    while (replicas.driver() === null) await pause(100)
    const beganAt = performance.now()
    const producing = Array.from({ length: producers }, (_, number) => {
      const share = fleet.filter(({ key }) => hash32('producer', key) % producers === number)
      return produce(share, {
        brokers: stage.kafka.brokers,
        topic: deployment.topics.requests,
        seed: hash32(seed, 'producer', number),
        forMs,
        total: share.length,
        say,
      })
    })
    const disturber = createDisturber({
      replicas,
      replicaCount: options.replicas,
      say,
      kafka: stage.kafka,
      postgres: stage.postgres,
      links: stage.links,
    })
    const disturbing = plan.map(async ({ atMs, disturbance }) => {
      await pause(atMs)
      say(describe(disturbance))
      await disturber.disturb(disturbance)
    })
    const [sent] = await Promise.all([Promise.all(producing), Promise.all(disturbing)])
    say('all is sent and whole again')
    const asked = fleet.flatMap(record => record.asked)
    const isFinished = await progress.finished(asked.length)
    const seconds = (performance.now() - beganAt) / 1000
    if (!isFinished) say(`STUCK: nothing happens any more: ${JSON.stringify(progress.last)}`)
    const verdict = await judge(deployment, asked)
    const all = figures(
      {
        seed,
        devices,
        seconds,
        requests: asked.length,
        exits: replicas.exits(),
        sent: sent.reduce((sum, records) => sum + records, 0),
        longestPauseMs: progress.longestPauseMs,
        worstGap: progress.worstGap,
        disturbances: disturber.done(),
      },
      verdict,
    )
    process.stdout.write(`\n${asText(all)}\n`)
    const isAllGood = isFinished && all.every(isGood)
    if (!isAllGood) {
      const { results, truth, audit, devices: told } = verdict
      const evidence = [
        results.lostExamples,
        results.orderExamples,
        told.examples,
        truth.twice,
        audit.breachList,
      ]
      for (const list of evidence) for (const one of list.slice(0, 5)) say(JSON.stringify(one))
    }
    return isAllGood
  } finally {
    progress.stop()
    await replicas.stop()
    await stage.stop()
  }
}

const main = async (): Promise<number> => {
  let options: ChaosOptions
  try {
    options = readOptions(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${usage}\n`)
    return 2
  }
  const logs = options.logs ?? (await mkdtemp(join(tmpdir(), 'device-move-chaos-')))
  const isGoodRun = await run(options, logs)
  if (isGoodRun && options.logs === null) await rm(logs, { recursive: true, force: true })
  say(isGoodRun ? 'all is as promised' : `NOT as promised: seed ${options.seed}, logs in ${logs}`)
  return isGoodRun ? 0 : 1
}

for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130))
main().then(
  code => process.exit(code),
  error => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(1)
  },
)
