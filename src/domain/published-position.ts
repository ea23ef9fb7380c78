/** The comparison of what was published with what the database holds. */

/** More was published than the database holds. */
export class RestoredDatabaseError extends Error {
  override readonly name = 'RestoredDatabaseError'
}

/** Why a database whose outbox ends at `end` is not the one that `position` was published from; null when it may be. */
export const restoredReason = (position: bigint, end: bigint): string | null =>
  position <= end
    ? null
    : `published up to ${position}, but the outbox ends at ${end}: the database was restored from a backup, or is ` +
      'another one under the old names; nothing is read, moved or published before `device-move accept-restore`'

/** The sink's position or the database's, whichever is larger: either may lag behind the other. */
export const largerOf = (sink: bigint | null, published: bigint): bigint =>
  sink !== null && sink > published ? sink : published
