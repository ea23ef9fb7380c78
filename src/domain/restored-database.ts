/** How a database shows that it has lost commits: it was restored from a backup, or a standby that lagged took over. */

/** The database has lost commits. Every flow stops until an operator accepts it. */
export class RestoredDatabaseError extends Error {
  override readonly name = 'RestoredDatabaseError'
}

const consequence =
  'the database has lost commits (it was restored from a backup, a standby that lagged took over, or it is another one ' +
  'under the old names); nothing is read, moved or published before `device-move accept-restore`'

/** For people: what was seen that a database which has lost nothing cannot show. */
export const lostText = (seen: string): string => `${seen}: ${consequence}`

/**
 * For people: why a database whose outbox ends at `end` cannot be the one that was published up to `position`. null: it
 * can. Both are ids of outbox rows.
 */
export const restoredReason = (position: bigint, end: bigint): string | null =>
  position <= end ? null : lostText(`published up to ${position}, but the outbox ends at ${end}`)

/** The larger of the sink's position and the database's. Either may lag behind the other. */
export const largerOf = (sink: bigint | null, published: bigint): bigint =>
  sink !== null && sink > published ? sink : published

/** What only grows in a database that loses nothing. */
export interface DatabaseMarks {
  /** Number of the last restore that an operator accepted. */
  readonly restore: number
  /** Of the lease. */
  readonly epoch: bigint
  readonly outboxEnd: bigint
  /** Number of the newest batch. */
  readonly lastBatch: number
  /** Next offset of each partition, by a key that stays the same. */
  readonly positions: ReadonlyMap<string, bigint>
  /** Number of the next transaction, as a whole server counts them. */
  readonly nextTransaction: bigint
}

/** For people: what `found` lacks of what was `seen` before. null: nothing. */
export const lostSince = (seen: DatabaseMarks, found: DatabaseMarks): string | null => {
  const compared: readonly (readonly [string, bigint | number, bigint | number])[] = [
    ['last accepted restore', seen.restore, found.restore],
    ['epoch of the lease', seen.epoch, found.epoch],
    ['end of the outbox', seen.outboxEnd, found.outboxEnd],
    ['newest batch', seen.lastBatch, found.lastBatch],
    ['next transaction', seen.nextTransaction, found.nextTransaction],
    ...[...seen.positions].map(
      ([key, next]) => [`position of partition ${key}`, next, found.positions.get(key) ?? 0n] as const,
    ),
  ]
  const lower = compared.find(([, before, now]) => now < before)
  if (lower === undefined) return null
  const [what, before, now] = lower
  return lostText(`the ${what} is ${now}, but ${before} was seen before`)
}

/** Where the journal stands in a partition, as far as the group's commit is compared with it. */
interface Standing {
  readonly next: bigint
  readonly committedBefore: bigint | null
}

/**
 * For people: why the journal cannot be the one that was read into. An offset is committed after it was stored, so it never
 * lies above the stored position. null: it may be.
 */
export const committedReason = (
  partition: string,
  committed: bigint | null,
  stored: Standing | undefined,
): string | null => {
  const known = stored?.next ?? 0n
  const before = stored?.committedBefore ?? 0n
  return committed === null || committed <= (before > known ? before : known)
    ? null
    : lostText(`${partition} was read up to offset ${committed}, but the journal stands at ${known}`)
}
