/** Lets processes crash, freeze, stop and come back, cuts them off from the journal, and deals partitions out anew. */
import type { Owner } from './clock'
import { createLosses } from './losses'
import type { Replica } from './replica'
import type { World } from './world'

export interface Chaos {
  /** Nothing goes wrong from now on. Processes that are down come back by themselves. */
  calm(): void
}

/** A process that has not stopped after this time is killed, as by a second SIGTERM, ms. */
const stopWithinMs = 8_000

export const startChaos = (world: World): Chaos => {
  const { clock, plan, draw, faults, journal, refusedRoutes, topic, trace, violations } = world
  const { between } = draw
  const losses = createLosses(world)
  const running = new Map<number, Replica>()
  const stopping = new Set<Owner>()
  const lives = new Map<number, number>()
  const later = (ms: number, act: () => void): void => clock.after(clock.world, ms, act)

  const placeOf = (owner: Owner): number | undefined =>
    [...running].find(([, replica]) => replica.owner === owner)?.[0]

  const start = (place: number): void => {
    const life = (lives.get(place) ?? 0) + 1
    lives.set(place, life)
    const replica = world.start(`r${place}.${life}`, { atStep, onEnd: error => ended(place, life, error) })
    running.set(place, replica)
  }
  const backAfter = (place: number, ms: number): void => {
    running.delete(place)
    later(ms, () => start(place))
  }
  const ended = (place: number, life: number, error: unknown): void => {
    const replica = running.get(place)
    if (replica === undefined || lives.get(place) !== life) return
    if (!stopping.delete(replica.owner))
      violations.broken('the service goes on', `${replica.owner.name} ended by itself: ${String(error)}`)
    trace.note(replica.owner.name, () => 'has stopped')
    topic.silent(replica.owner)
    clock.kill(replica.owner)
    backAfter(place, between(1_000, 10_000))
  }

  const crash = (owner: Owner): void => {
    const place = placeOf(owner)
    if (place === undefined || owner.state === 'dead') return
    trace.note(owner.name, () => 'CRASHES')
    stopping.delete(owner)
    clock.kill(owner)
    topic.silent(owner)
    backAfter(place, between(500, 30_000))
  }
  const freeze = (owner: Owner): void => {
    if (owner.state !== 'alive' || placeOf(owner) === undefined) return
    const forMs = between(1_000, draw.oneOf([20_000, 40_000, 120_000]))
    trace.note(owner.name, () => `FREEZES for ${forMs} ms`)
    clock.freeze(owner)
    topic.silent(owner)
    later(forMs, () => {
      if (owner.state !== 'frozen') return
      trace.note(owner.name, () => 'WAKES')
      clock.wake(owner)
      topic.heard(owner)
    })
  }
  const stop = (replica: Replica): void => {
    const { owner } = replica
    if (owner.state !== 'alive' || stopping.has(owner)) return
    trace.note(owner.name, () => 'is told to stop')
    stopping.add(owner)
    replica.stop()
    later(stopWithinMs, () => {
      if (stopping.has(owner)) crash(owner)
    })
  }
  function atStep(owner: Owner, step: string): void {
    if (owner.state !== 'alive') return
    if (faults.hit('crash at a step')) {
      trace.note(owner.name, () => `after ${step}:`)
      crash(owner)
    } else if (faults.hit('freeze at a step')) {
      trace.note(owner.name, () => `after ${step}:`)
      freeze(owner)
    }
  }

  const cutOff = ({ owner, link }: Replica): void => {
    const forMs = between(1_000, 30_000)
    trace.note(owner.name, () => `is CUT OFF from the journal for ${forMs} ms`)
    link.cutFor(forMs)
  }
  const trouble = (replica: Replica): void => {
    if (faults.hit('crash')) crash(replica.owner)
    else if (faults.hit('freeze')) freeze(replica.owner)
    else if (faults.hit('stop')) stop(replica)
    else if (faults.hit('journal cut off')) cutOff(replica)
  }
  const cancel = (): void => {
    const [first, ...others] = journal.store.routes.values()
    if (first === undefined) return
    const { routeId, fields } = draw.oneOf([first, ...others])
    const { cancelled, inFlight } = journal.cancelRoute(routeId)
    refusedRoutes.letGo(fields)
    trace.note('human', () => `cancels route ${routeId}: ${cancelled} moves, ${inFlight} in flight`)
  }
  const everySecond = (): void => {
    for (const replica of [...running.values()]) if (replica.owner.state === 'alive') trouble(replica)
    if (faults.hit('rebalance')) topic.rebalance()
    if (!losses.isOlder() && faults.hit('route cancelled')) cancel()
    losses.mayHappen()
    if (!faults.isCalm()) later(1_000, everySecond)
  }

  for (let place = 1; place <= plan.replicas; place += 1) start(place)
  later(1_000, everySecond)
  return { calm: () => faults.calm() }
}
