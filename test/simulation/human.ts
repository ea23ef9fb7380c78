/** The human that held jobs wait for. Once nothing goes wrong any more, he releases the jobs that can be tried again. */
import type { World } from './world'

export interface Human {
  /** Every job that is still held was released as often as makes sense. */
  isThrough(): boolean
}

const lookEveryMs = 30_000
const maxReleases = 2

/** A job that is held because several jobs could be ours stays held: only the provider's console could decide it. */
const canBeTriedAgain = (why: string): boolean => /no results could be read|refused again and again/.test(why)

export const startHuman = (world: World): Human => {
  const { clock, faults, journal, trace } = world
  const releases = new Map<number, number>()
  const waiting = () =>
    [...journal.store.unfinished].filter(
      ({ batchId, heldBecause }) =>
        heldBecause !== null && canBeTriedAgain(heldBecause) && (releases.get(batchId) ?? 0) < maxReleases,
    )

  const look = (): void => {
    for (const { batchId, heldBecause } of faults.isCalm() ? waiting() : []) {
      trace.note('human', () => `releases job ${batchId}, held: ${heldBecause}`)
      releases.set(batchId, (releases.get(batchId) ?? 0) + 1)
      journal.resolveJob(batchId, { kind: 'again' })
    }
    clock.after(clock.world, lookEveryMs, look)
  }
  clock.after(clock.world, lookEveryMs, look)
  return { isThrough: () => waiting().length === 0 }
}
