/** What this process has seen in the database. What writes there notes it, and each new connection compares with it. */

export interface SeenMarks {
  /** The last restore that an operator accepted. What was seen before it does not count. */
  restore: number
  epoch: bigint
  outboxEnd: bigint
  lastBatch: number
  /** Next offset by `source_id`. */
  readonly positions: Map<string, bigint>
  /** Of the last transaction that this process has committed. */
  transaction: bigint
}

export const createSeenMarks = (): SeenMarks => ({
  restore: 0,
  epoch: 0n,
  outboxEnd: 0n,
  lastBatch: 0,
  positions: new Map(),
  transaction: 0n,
})
