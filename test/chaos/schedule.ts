import type { Random } from '../../src/tools/simulator/random'

export type LinkName = 'kafka' | 'postgres' | 'simulator'

/** A replica by its number, or the one that drives when the time has come. */
export type Victim = number | 'driver'

export type Disturbance =
  | { readonly kind: 'kill'; readonly victim: Victim; readonly downMs: number }
  | { readonly kind: 'freeze'; readonly victim: Victim; readonly forMs: number }
  | { readonly kind: 'broker'; readonly how: 'kill' | 'stop' | 'freeze'; readonly forMs: number }
  | { readonly kind: 'postgres'; readonly how: 'fast' | 'immediate'; readonly downMs: number }
  | { readonly kind: 'cut' | 'half-close'; readonly victim: Victim; readonly link: LinkName }
  | {
      readonly kind: 'delay'
      readonly victim: Victim
      readonly link: LinkName
      readonly byMs: number
      readonly forMs: number
    }
  | {
      readonly kind: 'swallow'
      readonly victim: Victim
      readonly link: LinkName
      readonly which: 'up' | 'down' | 'both'
      readonly forMs: number
    }

export interface Planned {
  /** Time from the start, ms. */
  readonly atMs: number
  readonly disturbance: Disturbance
}

export interface SchedulePlan {
  readonly forMs: number
  /** Mean time between two disturbances, ms. */
  readonly everyMs: number
  readonly replicas: number
  readonly longestFreezeMs: number
  /** How often the driver is killed, with no other disturbance; null: disturbances of every kind happen. */
  readonly kills: number | null
}

/** Kills at even distances. A killed replica is started again at once, as a supervisor does. */
const planKills = (kills: number, forMs: number): Planned[] =>
  Array.from({ length: kills }, (_, index) => ({
    atMs: Math.round((forMs * (index + 0.5)) / kills),
    disturbance: { kind: 'kill', victim: 'driver', downMs: 0 },
  }))

/** Another replica can take a frozen driver's lease after 10 s, so one freeze is longer than that, ms. */
const loseLeaseMs = 12_000

/**
 * The first thirteen disturbances are one of each kind in random order; those after them are of any kind. Kinds are, for
 * example, a killed driver, another killed replica, and a driver that is frozen for longer than its lease. The same random
 * numbers give the same schedule.
 */
export const planDisturbances = (random: Random, plan: SchedulePlan): Planned[] => {
  if (plan.kills !== null) return planKills(plan.kills, plan.forMs)
  const between = (from: number, to: number) => Math.round(from + random() * (to - from))
  const pick = <T>(among: readonly [T, ...T[]]): T => among[Math.floor(random() * among.length)] ?? among[0]
  const link = () => pick(['kafka', 'postgres', 'simulator'] as const)
  const replica = () => Math.floor(random() * plan.replicas)
  const victim = (): Victim => (random() < 0.6 ? 'driver' : replica())

  const kinds: readonly (() => Disturbance)[] = [
    () => ({ kind: 'kill', victim: 'driver', downMs: between(0, 3_000) }),
    () => ({ kind: 'kill', victim: replica(), downMs: between(0, 3_000) }),
    () => ({ kind: 'freeze', victim: 'driver', forMs: between(loseLeaseMs, plan.longestFreezeMs) }),
    () => ({ kind: 'freeze', victim: victim(), forMs: between(1_000, plan.longestFreezeMs) }),
    () => ({ kind: 'broker', how: 'kill', forMs: between(200, 2_000) }),
    () => ({ kind: 'broker', how: 'stop', forMs: between(200, 2_000) }),
    () => ({ kind: 'broker', how: 'freeze', forMs: between(1_000, plan.longestFreezeMs / 2) }),
    () => ({ kind: 'postgres', how: 'fast', downMs: between(0, 3_000) }),
    () => ({ kind: 'postgres', how: 'immediate', downMs: between(0, 3_000) }),
    () => ({ kind: 'cut', victim: victim(), link: link() }),
    () => ({ kind: 'half-close', victim: victim(), link: link() }),
    () => ({
      kind: 'delay',
      victim: victim(),
      link: link(),
      byMs: between(50, 2_000),
      forMs: between(2_000, 10_000),
    }),
    () => ({
      kind: 'swallow',
      victim: victim(),
      link: link(),
      which: pick(['up', 'down', 'both'] as const),
      forMs: between(2_000, plan.longestFreezeMs / 2),
    }),
  ]
  const shuffled = kinds
    .map(make => ({ make, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ make }) => make)

  const planned: Planned[] = []
  for (let atMs = 0; ; ) {
    atMs += between(plan.everyMs * 0.4, plan.everyMs * 1.6)
    const make = shuffled[planned.length] ?? pick([...shuffled] as [() => Disturbance])
    if (planned.length >= shuffled.length && atMs > plan.forMs) return planned
    planned.push({ atMs, disturbance: make() })
  }
}

/** A disturbance in a few words, for the log of a run. */
export const describe = (disturbance: Disturbance): string =>
  Object.values(disturbance)
    .map(value => String(value))
    .join(' ')
