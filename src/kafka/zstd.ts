import { Decompress } from 'fzstd'
import { createGrowingBuffer } from './growing-buffer'

/** The largest window zstd's own reader accepts by default. */
const maxWindowBytes = 128 * 1024 * 1024
const frameMagic = 0xfd2fb528

/** Bytes the reader would allocate at once: the window, or the whole content of a single-segment frame. */
const windowBytes = (data: Buffer): number => {
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

/** Throws on bad input and beyond `maxBytes`. */
export const decompressZstd = (data: Buffer, maxBytes: number): Buffer => {
  if (data.length < 6 || data.readUInt32LE(0) !== frameMagic) throw new Error('not a zstd frame')
  // Looked at before anything is decoded, since a few bytes can ask for gigabytes.
  if (windowBytes(data) > maxWindowBytes) throw new Error('zstd window above 128 MiB')
  const out = createGrowingBuffer(data.length * 4, maxBytes)
  const reader = new Decompress(piece => out.append(piece))
  reader.push(data, true)
  return out.bytes()
}
