/** One run: the world of a seed, driven until all work is done or a promise is broken. */
import { config } from 'rxjs'
import { startChaos } from './chaos'
import type { FaultKind } from './faults'
import { startHuman } from './human'
import { checkAtEnd } from './invariants/check-at-end'
import { checkConservation } from './invariants/check-conservation'
import { createCheckWaiting } from './invariants/check-waiting'
import { isDone } from './invariants/is-done'
import { startStrangers } from './strangers'
import type { Violation } from './violations'
import { createWorld } from './world'

export interface SeedReport {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly faults: ReadonlyMap<FaultKind, number>
  readonly virtualMs: number
  readonly wallMs: number
  readonly steps: number
  readonly finals: number
  readonly jobs: number
  readonly held: number
  readonly trace: readonly string[]
}

const lookEveryMs = 1_000
/** The run goes on for this long after all is done, so that what comes late or twice is seen, ms. */
const afterwardsMs = 90_000
/** No run takes this many steps, unless a loop keeps time from passing. */
const maxSteps = 5_000_000

export const runSeed = (seed: number, keepTrace = false): SeedReport => {
  const began = process.hrtime.bigint()
  const world = createWorld(seed, keepTrace)
  const { clock, plan, faults, violations, workload, topic, startedAt, trace } = world
  config.onUnhandledError = error => violations.broken('nothing unforeseen', `unhandled: ${String(error)}`)

  for (const { atMs, partition, record } of workload.sendings)
    clock.after(clock.world, atMs, () => topic.produce(partition, record))
  const chaos = startChaos(world)
  startStrangers(world)
  const human = startHuman(world)
  const checkWaiting = createCheckWaiting(world)
  clock.after(clock.world, plan.calmAtMs, () => {
    trace.note('world', () => 'nothing goes wrong from now on')
    chaos.calm()
  })

  const deadline = startedAt + plan.calmAtMs + plan.doneWithinMs
  let endAt = deadline
  let isOver = false
  const look = (): void => {
    checkConservation(world)
    checkWaiting()
    if (endAt === deadline && faults.isCalm() && human.isThrough() && isDone(world))
      endAt = clock.now() + afterwardsMs
    if (clock.now() >= endAt) isOver = true
    else clock.after(clock.world, lookEveryMs, look)
  }
  clock.after(clock.world, lookEveryMs, look)

  let steps = 0
  try {
    while (!isOver && violations.found.length === 0 && clock.step()) {
      steps += 1
      if (steps > maxSteps)
        violations.broken('time passes', `${maxSteps} steps up to ${clock.now() - startedAt} ms`)
    }
  } catch (error) {
    violations.broken('nothing unforeseen', `thrown: ${error instanceof Error ? error.stack : String(error)}`)
  }
  if (violations.found.length === 0) checkAtEnd(world)
  return {
    seed,
    violations: violations.found,
    faults: faults.counts,
    virtualMs: clock.now() - startedAt,
    wallMs: Number(process.hrtime.bigint() - began) / 1e6,
    steps,
    finals: world.outcomes.published().filter(({ final }) => final).length,
    jobs: world.ledger.jobs.size,
    held: [...world.journal.store.unfinished].filter(job => job.heldBecause !== null).length,
    trace: trace.lines,
  }
}
