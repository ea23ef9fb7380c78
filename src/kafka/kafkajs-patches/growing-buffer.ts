/** Output of a decompressor whose size is not known beforehand. */
export interface GrowingBuffer {
  readonly length: () => number
  /** Appends `data`. */
  append(data: Uint8Array): void
  /** Appends `count` bytes read from `distance` bytes back; may overlap what it writes. */
  repeat(distance: number, count: number): void
  readonly bytes: () => Buffer
}

/** Throws as soon as more than `maxBytes` are written, before they are allocated. */
export const createGrowingBuffer = (firstBytes: number, maxBytes: number): GrowingBuffer => {
  let buffer = Buffer.allocUnsafe(Math.max(64, Math.min(firstBytes, maxBytes)))
  let length = 0

  const reserve = (count: number): void => {
    const wanted = length + count
    if (wanted > maxBytes) throw new Error(`more than ${maxBytes} bytes when decompressed`)
    if (wanted <= buffer.length) return
    const larger = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(wanted, buffer.length * 2)))
    buffer.copy(larger, 0, 0, length)
    buffer = larger
  }

  return {
    length: () => length,
    append: data => {
      reserve(data.length)
      buffer.set(data, length)
      length += data.length
    },
    repeat: (distance, count) => {
      if (distance < 1 || distance > length) throw new Error('reference before the start of the data')
      reserve(count)
      if (distance >= count) {
        buffer.copyWithin(length, length - distance, length - distance + count)
        length += count
        return
      }
      for (const end = length + count; length < end; length += 1)
        buffer[length] = buffer[length - distance] ?? 0
    },
    bytes: () => buffer.subarray(0, length),
  }
}
