/** The part of the clock that the simulated ports need, on real timers, for the contract suites. */
import type { Clock, Owner } from './clock'

export const realTime = (): Pick<Clock, 'after' | 'as' | 'world'> & {
  readonly process: (name: string) => Owner
} => {
  const process = (name: string): Owner => ({ name, state: 'alive', parked: [] })
  return {
    world: process('world'),
    process,
    as: (owner, act) => {
      if (owner.state === 'alive') act()
    },
    after: (owner, ms, act) => {
      setTimeout(() => {
        if (owner.state === 'alive') act()
      }, ms)
    },
  }
}
