/**
 * A fingerprint of one record. It tells whether the record that lies at an offset now is the one that was read there: if it
 * is not, the log is another one. It need not withstand anybody who forges records.
 */

export interface Fingerprint {
  readonly offset: bigint
  /** ms since 1970. */
  readonly timestampMs: number
  /** Of key and value, 16 hexadecimal digits. */
  readonly digest: string
}

interface Fingerprintable {
  readonly position: { readonly offset: bigint }
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

/** FNV-1a, 32 bits, from a given start. */
const fnv = (start: number, bytes: Uint8Array): number => {
  let hash = start
  for (let at = 0; at < bytes.length; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 16_777_619)
  return hash >>> 0
}

const hex = (number: number): string => number.toString(16).padStart(8, '0')

/** The length goes in first, so that no value and an empty one differ, and nothing moves from key to value. */
const digestOf = (start: number, parts: readonly (Uint8Array | null)[]): string =>
  hex(
    parts.reduce(
      (hash, part) => (part === null ? Math.imul(hash ^ 255, 16_777_619) : fnv(hash ^ part.length, part)),
      start,
    ) >>> 0,
  )

export const fingerprintOf = ({ position, timestampMs, key, value }: Fingerprintable): Fingerprint => ({
  offset: position.offset,
  timestampMs,
  digest: digestOf(2_166_136_261, [key, value]) + digestOf(1_540_483_477, [value, key]),
})

export const isSameRecord = (one: Fingerprint, other: Fingerprint): boolean =>
  one.offset === other.offset && one.timestampMs === other.timestampMs && one.digest === other.digest
