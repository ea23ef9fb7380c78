import type { BatchMove } from './job'

export interface HalvedBatch {
  readonly first: readonly BatchMove[]
  /** From the first name that is not in `first` on. Its moves in `behind` are not part of its job. */
  readonly second: readonly BatchMove[]
  /** Later moves of devices that `first` sends: they wait for it, since a device is in one job at a time. */
  readonly behind: ReadonlyMap<bigint, bigint>
}

/** Cuts a batch so that each side has half of its devices. Throws when there is only one. */
export const halveBatch = (moves: readonly BatchMove[]): HalvedBatch => {
  const names = [...new Set(moves.map(move => move.deviceName))]
  const firstOfSecond = names[Math.ceil(names.length / 2)]
  if (firstOfSecond === undefined) throw new Error('a batch of one device cannot be halved')
  const cut = moves.findIndex(move => move.deviceName === firstOfSecond)
  const first = moves.slice(0, cut)
  const rest = moves.slice(cut)
  const lastOf = new Map(first.map(move => [move.deviceName, move.seq]))
  const behind = new Map<bigint, bigint>()
  for (const { seq, deviceName } of rest) {
    const before = lastOf.get(deviceName)
    if (before !== undefined) behind.set(seq, before)
  }
  return { first, second: rest.filter(move => !behind.has(move.seq)), behind }
}
