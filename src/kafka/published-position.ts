import type { Admin } from 'kafkajs'

export interface PositionPlace {
  /** The private group that keeps the position. */
  readonly groupId: string
  readonly topic: string
}

/** Id of the last outbox row published in a committed transaction; null if the group remembers none. */
export const publishedPosition = async (
  admin: Admin,
  { groupId, topic }: PositionPlace,
): Promise<bigint | null> => {
  // All topics of the group: asking for one by name would wait for it to exist.
  const committed = await admin.fetchOffsets({ groupId })
  const at = committed.find(each => each.topic === topic)?.partitions.find(({ partition }) => partition === 0)
  // Committed is the last published id + 1; kafkajs gives -1 for none.
  const next = BigInt(at?.offset ?? -1)
  return next < 1n ? null : next - 1n
}
