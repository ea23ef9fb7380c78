/** Where reading a partition goes on, or why it must not. */
import { type Fingerprint, isSameRecord } from '../../domain/fingerprint'
import { committedReason } from '../../domain/restored-database'
import type { Gap, StoredPosition } from '../../ports/request-source'
import type { Watermarks } from '../admin'

/** What lies in a partition now. */
export interface LogState extends Watermarks {
  /** The next offset that the group has committed; null: none. */
  readonly committed: bigint | null
  /** What lies at the offset of the record that was taken in last; null: nothing. `unasked`: it need not be known. */
  readonly there: Fingerprint | 'unasked' | null
  /** Compaction may have taken single records away. */
  readonly isCompacted: boolean
}

export interface PartitionState {
  /** undefined: the journal does not know the partition. */
  readonly stored: StoredPosition | undefined
  readonly log: LogState
}

export type Place =
  /** The position of the journal; the beginning where it has none. */
  | {
      readonly kind: 'at'
      readonly offset: bigint
      readonly continuesFrom: bigint | null
      readonly life: number
    }
  /** Records that the journal has not taken in were deleted. They are skipped, and reading goes on after them. */
  | { readonly kind: 'after-gap'; readonly gap: Gap; readonly life: number }
  /** Another log than the one that was read: reading it would skip records, or take them for others. */
  | { readonly kind: 'another-log'; readonly reason: string; readonly isCertain: boolean }
  /** The journal says that the partition is stopped. */
  | { readonly kind: 'stopped'; readonly reason: string }
  /** The journal has lost what the group had read. */
  | { readonly kind: 'lost'; readonly reason: string }

const otherLog = (name: string, why: string): string =>
  `${name} is not read: ${why} (the topic was made anew, its log was cut, or another database restored); nothing of it is ` +
  'taken in before `device-move accept-restore`'

/** Whether the record that was taken in last still lies where it was read, or is gone because the log begins later. */
const hasChanged = (last: Fingerprint | null, { low, there, isCompacted }: LogState): boolean => {
  if (last === null || there === 'unasked' || last.offset < low) return false
  return there === null ? !isCompacted : !isSameRecord(last, there)
}

/** The offset whose record has to be known for `placeOf`; null: none. */
export const offsetToCompare = (
  stored: StoredPosition | undefined,
  { low, high }: Watermarks,
): bigint | null => {
  const last = stored?.last?.offset ?? null
  return last === null || stored?.stopped !== null || last < low || last >= high ? null : last
}

/** `name` is that of the partition. */
export const placeOf = (name: string, stored: StoredPosition | undefined, log: LogState): Place => {
  if (stored !== undefined && stored.stopped !== null) return { kind: 'stopped', reason: stored.stopped }
  const lost = committedReason(name, log.committed, stored)
  if (lost !== null) return { kind: 'lost', reason: lost }
  if (stored === undefined) return { kind: 'at', offset: log.low, continuesFrom: null, life: 1 }
  const { next, last, life } = stored
  if (next > log.high) {
    const why = `the journal stands at offset ${next}, but the partition ends at ${log.high}`
    return { kind: 'another-log', reason: otherLog(name, why), isCertain: false }
  }
  if (hasChanged(last, log)) {
    const why = `the record at offset ${last?.offset} is not the one that was read there`
    return { kind: 'another-log', reason: otherLog(name, why), isCertain: true }
  }
  if (next < log.low) return { kind: 'after-gap', gap: { from: next, to: log.low }, life }
  return { kind: 'at', offset: next, continuesFrom: next, life }
}

/**
 * Whether the partition is to be stopped for good. A broker that has just taken over may not know the end of its log yet, so
 * a position beyond it counts at the second look only: `doubted` is the life in which the first look had a doubt. If the log
 * is long enough by then, the record that was taken in last has to be there.
 */
export const isOtherLog = (
  place: Place,
  { stored, log }: PartitionState,
  doubted: number | null,
): boolean => {
  const isDoubted = stored !== undefined && stored.life === doubted
  if (place.kind === 'another-log') return place.isCertain || isDoubted
  return isDoubted && place.kind !== 'stopped' && log.there === 'unasked'
}
