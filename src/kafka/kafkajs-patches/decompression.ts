/** The compression formats of Kafka that Node does not read: snappy, lz4 and zstd. Their output is bounded. */
import { Decompress } from 'fzstd'
import { uncompress } from 'snappyjs'

/** Output of a decompressor. Its size is not known beforehand. */
interface GrowingBuffer {
  append(data: Uint8Array): void
  /** Appends `count` bytes that begin `distance` bytes before the end. The two ranges may overlap. */
  repeat(distance: number, count: number): void
  readonly bytes: () => Buffer
}

/** Throws before it allocates more than `maxBytes`. */
const createGrowingBuffer = (firstBytes: number, maxBytes: number): GrowingBuffer => {
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

/** The Java client writes a framed stream of snappy blocks (the "xerial" format). librdkafka writes one bare block. */
const snappyMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** The magic, the version, and the lowest compatible version. */
const snappyHeaderBytes = 16

/** Decompresses either form. Throws on bad input and beyond `maxBytes`. */
export const decompressSnappy = (data: Buffer, maxBytes: number): Buffer => {
  if (!data.subarray(0, snappyMagic.length).equals(snappyMagic)) return uncompress(data, maxBytes)
  const blocks: Buffer[] = []
  let left = maxBytes
  let at = snappyHeaderBytes
  while (at < data.length) {
    // A concatenated stream begins with a header of its own.
    if (data.subarray(at, at + snappyMagic.length).equals(snappyMagic)) {
      at += snappyHeaderBytes
      continue
    }
    const length = data.readInt32BE(at)
    const end = at + 4 + length
    if (length < 0 || end > data.length) throw new Error('truncated snappy stream')
    const block = uncompress(data.subarray(at + 4, end), left)
    left -= block.length
    blocks.push(block)
    at = end
  }
  return Buffer.concat(blocks)
}

const lz4Magic = 0x184d2204
const lz4SkippableMagic = 0x184d2a50
const lz4MinMatch = 4

/** Reads one block: sequences of literals, each followed by a copy of earlier output. */
const readLz4Block = (block: Buffer, out: GrowingBuffer): void => {
  let at = 0
  const byte = (): number => {
    const value = block[at]
    if (value === undefined) throw new Error('truncated lz4 block')
    at += 1
    return value
  }
  const length = (nibble: number): number => {
    if (nibble < 15) return nibble
    let total = nibble
    let more = 255
    while (more === 255) {
      more = byte()
      total += more
    }
    return total
  }
  while (at < block.length) {
    const token = byte()
    const literals = length(token >> 4)
    if (at + literals > block.length) throw new Error('truncated lz4 block')
    if (literals > 0) out.append(block.subarray(at, at + literals))
    at += literals
    // The last sequence is literals only.
    if (at === block.length) return
    const distance = byte() | (byte() << 8)
    out.repeat(distance, length(token & 0x0f) + lz4MinMatch)
  }
}

/** Reads the frame at `at` and returns where it ends. Its checksums are skipped: the CRC of the record batch covers them. */
const readLz4Frame = (data: Buffer, at: number, out: GrowingBuffer): number => {
  const flags = data.readUInt8(at + 4)
  if (flags >> 6 !== 1) throw new Error('not an lz4 frame of version 1')
  const hasBlockChecksum = (flags & 0x10) !== 0
  const hasContentSize = (flags & 0x08) !== 0
  const hasContentChecksum = (flags & 0x04) !== 0
  if ((flags & 0x01) !== 0) throw new Error('lz4 dictionaries are not supported')
  let next = at + 7 + (hasContentSize ? 8 : 0)
  for (;;) {
    const size = data.readUInt32LE(next)
    next += 4
    if (size === 0) return next + (hasContentChecksum ? 4 : 0)
    const isStored = size >= 0x80000000
    const end = next + (size % 0x80000000)
    if (end > data.length) throw new Error('truncated lz4 frame')
    const block = data.subarray(next, end)
    if (isStored) out.append(block)
    else readLz4Block(block, out)
    next = end + (hasBlockChecksum ? 4 : 0)
  }
}

/** Decompresses one or more LZ4 frames. Throws on bad input and beyond `maxBytes`. */
export const decompressLz4 = (data: Buffer, maxBytes: number): Buffer => {
  const out = createGrowingBuffer(data.length * 4, maxBytes)
  let at = 0
  while (at < data.length) {
    const magic = data.readUInt32LE(at)
    if (magic === lz4Magic) at = readLz4Frame(data, at, out)
    else if ((magic & ~0x0f) === lz4SkippableMagic) at += 8 + data.readUInt32LE(at + 4)
    else throw new Error('not an lz4 frame')
  }
  return out.bytes()
}

/** The largest window that the reference implementation of zstd accepts by default. */
const maxZstdWindowBytes = 128 * 1024 * 1024
const zstdMagic = 0xfd2fb528

/** Bytes that the reader allocates at once: the window, or the whole content of a single-segment frame. */
const zstdWindowBytes = (data: Buffer): number => {
  const flags = data.readUInt8(4)
  const isSingleSegment = (flags & 0x20) !== 0
  if (!isSingleSegment) {
    const descriptor = data.readUInt8(5)
    const base = 2 ** (10 + (descriptor >> 3))
    return base + (base / 8) * (descriptor & 7)
  }
  const dictionaryIdBytes = [0, 1, 2, 4][flags & 3] ?? 0
  const at = 5 + dictionaryIdBytes
  switch (flags >> 6) {
    case 0:
      return data.readUInt8(at)
    case 1:
      return data.readUInt16LE(at) + 256
    case 2:
      return data.readUInt32LE(at)
    default:
      return Number(data.readBigUInt64LE(at))
  }
}

/** Decompresses zstd frames. Throws on bad input and beyond `maxBytes`. */
export const decompressZstd = (data: Buffer, maxBytes: number): Buffer => {
  if (data.length < 6 || data.readUInt32LE(0) !== zstdMagic) throw new Error('not a zstd frame')
  // Checked before anything is decoded, because a header of a few bytes can ask for gigabytes.
  if (zstdWindowBytes(data) > maxZstdWindowBytes) throw new Error('zstd window above 128 MiB')
  const out = createGrowingBuffer(data.length * 4, maxBytes)
  const reader = new Decompress(piece => out.append(piece))
  reader.push(data, true)
  return out.bytes()
}
