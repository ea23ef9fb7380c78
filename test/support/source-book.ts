import { defer, of, throwError } from 'rxjs'
import type { Gap, SourceBook, StoredPosition } from '../../src/ports/request-source'

/** Where a journal stands that has read up to `next`, and of which nothing else is known. */
export const storedAt = (next: bigint, more: Partial<StoredPosition> = {}): StoredPosition => ({
  next,
  life: 1,
  last: null,
  stopped: null,
  committedBefore: null,
  ...more,
})

export interface RecordedBook extends SourceBook {
  readonly skips: { readonly partition: number; readonly gap: Gap }[]
  readonly stops: { readonly partition: number; readonly reason: string }[]
}

type Positions = ReadonlyMap<number, bigint | StoredPosition>

/** The book of a journal that stands at these positions at the time it is asked. It notes what it is told. */
export const bookAt = (positions: Positions | Error = new Map()): RecordedBook => {
  const skips: RecordedBook['skips'] = []
  const stops: RecordedBook['stops'] = []
  const known = (of: Positions): ReadonlyMap<number, StoredPosition> =>
    new Map([...of].map(([partition, at]) => [partition, typeof at === 'bigint' ? storedAt(at) : at]))
  return {
    skips,
    stops,
    positions: () =>
      defer(() => (positions instanceof Error ? throwError(() => positions) : of(known(positions)))),
    skip: (_, partition, gap) => defer(() => of(skips.push({ partition, gap }))),
    stop: (_, partition, reason) => defer(() => of(stops.push({ partition, reason }))),
  }
}
