import { Observable, tap } from 'rxjs'
import type { DriveJournal } from '../../../src/ports/journal'
import type { LeaseRow } from '../ports/simulated-lease'
import type { Violations } from '../violations'

export interface WatchWritesDeps {
  readonly lease: LeaseRow
  readonly violations: Violations
}

/** A driver's journal of one epoch that reports every transaction carried out after the epoch is over. */
export const watchWrites = (
  journal: DriveJournal,
  epoch: bigint,
  { lease, violations }: WatchWritesDeps,
): DriveJournal => {
  const check = (name: string) => (): void => {
    if (epoch !== lease.epoch)
      violations.broken(
        'nobody writes without the lease',
        `${name} by epoch ${epoch}, the lease has ${lease.epoch}`,
      )
  }
  const watched = Object.entries(journal).map(([name, method]: [string, (...args: never[]) => unknown]) => [
    name,
    (...args: never[]): unknown => {
      const result = method(...args)
      return result instanceof Observable ? result.pipe(tap(check(name))) : result
    },
  ])
  return Object.fromEntries(watched) as DriveJournal
}
