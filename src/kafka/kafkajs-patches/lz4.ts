import { createGrowingBuffer, type GrowingBuffer } from './growing-buffer'

const frameMagic = 0x184d2204
const skippableMagic = 0x184d2a50
const minMatch = 4

/** The sequences of one block: literals, then a copy of what was written before. */
const readBlock = (block: Buffer, out: GrowingBuffer): void => {
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
    // The last sequence has no copy.
    if (at === block.length) return
    const distance = byte() | (byte() << 8)
    out.repeat(distance, length(token & 0x0f) + minMatch)
  }
}

/** One frame from `at`; returns where it ends. Checksums are skipped, as kafkajs skips the batch's CRC. */
const readFrame = (data: Buffer, at: number, out: GrowingBuffer): number => {
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
    else readBlock(block, out)
    next = end + (hasBlockChecksum ? 4 : 0)
  }
}

/** Uncompresses one or more LZ4 frames. Throws on bad input and beyond `maxBytes`. */
export const decompressLz4 = (data: Buffer, maxBytes: number): Buffer => {
  const out = createGrowingBuffer(data.length * 4, maxBytes)
  let at = 0
  while (at < data.length) {
    const magic = data.readUInt32LE(at)
    if (magic === frameMagic) at = readFrame(data, at, out)
    else if ((magic & ~0x0f) === skippableMagic) at += 8 + data.readUInt32LE(at + 4)
    else throw new Error('not an lz4 frame')
  }
  return out.bytes()
}
