import { compress, uncompress } from 'snappyjs'

/** The Java client frames its snappy blocks (the "xerial" stream); librdkafka writes one bare block. */
const streamMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** Magic, version and lowest compatible version. */
const streamHeaderBytes = 16

/** Uncompresses either form. Throws on bad input and when the result would be larger than `maxBytes`. */
export const decompressSnappy = (data: Buffer, maxBytes: number): Buffer => {
  if (!data.subarray(0, streamMagic.length).equals(streamMagic)) return uncompress(data, maxBytes)
  const blocks: Buffer[] = []
  let left = maxBytes
  let at = streamHeaderBytes
  while (at < data.length) {
    // Concatenated streams repeat the header.
    if (data.subarray(at, at + streamMagic.length).equals(streamMagic)) {
      at += streamHeaderBytes
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

/** One framed block, which every client reads. */
export const compressSnappy = (data: Buffer): Buffer => {
  const block = compress(data)
  const head = Buffer.alloc(streamHeaderBytes + 4)
  streamMagic.copy(head)
  head.writeInt32BE(1, 8)
  head.writeInt32BE(1, 12)
  head.writeInt32BE(block.length, streamHeaderBytes)
  return Buffer.concat([head, block])
}
