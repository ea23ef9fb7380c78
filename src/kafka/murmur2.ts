const seed = 0x9747b28c
const mix = 0x5bd1e995

/**
 * Kafka's own key hash, in plain 32-bit arithmetic: kafkajs's takes a microsecond a record. Equal keys land in the
 * same partition as with the Java client and kafkajs.
 */
const murmur2 = (data: Uint8Array): number => {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const wholeBytes = data.length & ~3
  let hash = seed ^ data.length
  for (let at = 0; at < wholeBytes; at += 4) {
    let word = Math.imul(view.getInt32(at, true), mix)
    word ^= word >>> 24
    hash = Math.imul(hash, mix) ^ Math.imul(word, mix)
  }
  if (wholeBytes < data.length) {
    for (let at = data.length - 1; at >= wholeBytes; at -= 1)
      hash ^= (data[at] ?? 0) << (8 * (at - wholeBytes))
    hash = Math.imul(hash, mix)
  }
  hash ^= hash >>> 13
  hash = Math.imul(hash, mix)
  return hash ^ (hash >>> 15)
}

/** Partition of a key, 0 to `partitions` - 1. */
export const partitionOfKey = (key: Uint8Array, partitions: number): number =>
  (murmur2(key) & 0x7fffffff) % partitions
