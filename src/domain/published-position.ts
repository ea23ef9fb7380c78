/** The sink has published what the database does not know of. */
export class RestoredDatabaseError extends Error {
  override readonly name = 'RestoredDatabaseError'
}
/** Why a database whose outbox ends at `end` cannot be the one from which `position` was published; null if it can. */
export const restoredReason = (position: bigint, end: bigint): string | null =>
  position <= end
    ? null
    : `published up to ${position}, but the outbox ends at ${end}: the database was restored from a backup, or is ` +
      'another one under the old names; nothing is read, moved or published before `device-move accept-restore`'
export const largerOf = (sink: bigint | null, published: bigint): bigint =>
  sink !== null && sink > published ? sink : published
