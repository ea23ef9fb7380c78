/** Reads a file line by line, and NDJSON, whose records are lines. */
import { createReadStream } from 'node:fs'
import type { KnownFile } from './file-format'

/** A line without its line break (LF or CRLF). */
export interface Line {
  /** 1-based. */
  readonly number: number
  readonly bytes: Buffer
}

/** One byte more than the largest record that is accepted, so that the parser rejects a longer line for its size. */
const maxLineBytes = 4 * 1024 * 1024 + 1
const lineFeed = 0x0a
const carriageReturn = 0x0d

/** Joins the pieces of a line and keeps its first `maxLineBytes`. */
const createLineBuffer = () => {
  let pieces: Buffer[] = []
  let length = 0
  return {
    add(piece: Buffer): void {
      const room = maxLineBytes - length
      if (room <= 0 || piece.length === 0) return
      pieces.push(piece.subarray(0, room))
      length += Math.min(piece.length, room)
    },
    take(): Buffer {
      const line = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
      pieces = []
      length = 0
      return line.at(-1) === carriageReturn ? line.subarray(0, -1) : line
    },
    isEmpty: (): boolean => length === 0,
  }
}

/**
 * The lines of a file, in one group for each piece that is read. Empty lines count, so that the numbers are those of an
 * editor, and so does a last line without a line break. Throws at the end if the file has another size than when it was
 * hashed: its lines may not be those that the hash names.
 */
export async function* readLines(file: KnownFile): AsyncGenerator<readonly Line[]> {
  const current = createLineBuffer()
  let number = 0
  let bytesRead = 0
  for await (const piece of createReadStream(file.path)) {
    const chunk: Buffer = piece
    bytesRead += chunk.length
    const lines: Line[] = []
    let from = 0
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, from)) {
      current.add(chunk.subarray(from, end))
      number++
      lines.push({ number, bytes: current.take() })
      from = end + 1
    }
    current.add(chunk.subarray(from))
    if (lines.length > 0) yield lines
  }
  if (!current.isEmpty()) yield [{ number: number + 1, bytes: current.take() }]
  if (bytesRead !== file.bytes) {
    throw new Error(
      `${file.name} was changed while it was read: ${file.bytes} bytes at the start, now ${bytesRead}`,
    )
  }
}

const isBlank = (bytes: Buffer): boolean =>
  bytes.every(byte => byte === 0x20 || byte === 0x09 || byte === 0x0d)

/** The records of an NDJSON file: every line that is not blank, unchanged. */
export async function* readNdjson(file: KnownFile): AsyncGenerator<readonly Line[]> {
  for await (const lines of readLines(file)) {
    yield lines.filter(line => !isBlank(line.bytes))
  }
}
