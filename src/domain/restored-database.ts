/** How far the outbox was published, and how a database that was restored from a backup shows by it. */

/** More was published than the database's outbox holds. */
export class RestoredDatabaseError extends Error {
  override readonly name = 'RestoredDatabaseError'
}

/**
 * For people: why a database whose outbox ends at `end` cannot be the one that was published up to `position`. null: it
 * can. Both are ids of outbox rows.
 */
export const restoredReason = (position: bigint, end: bigint): string | null =>
  position <= end
    ? null
    : `published up to ${position}, but the outbox ends at ${end}: the database was restored from a backup, or is ` +
      'another one under the old names; nothing is read, moved or published before `device-move accept-restore`'

/** The larger of the sink's position and the database's. Either may lag behind the other. */
export const largerOf = (sink: bigint | null, published: bigint): bigint =>
  sink !== null && sink > published ? sink : published
