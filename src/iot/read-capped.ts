import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

export interface CappedBody {
  readonly body: Uint8Array
  /** false: there is more than the cap. */
  readonly complete: boolean
}

export type Encoding = 'identity' | 'gzip'

/** The one encoding of a body; null for what is not read: others, and chains, which multiply what a bomb grows to. */
export const encodingOf = (header: string | undefined): Encoding | null => {
  const name = (header ?? '').trim().toLowerCase()
  if (name === '' || name === 'identity') return 'identity'
  return name === 'gzip' || name === 'x-gzip' ? 'gzip' : null
}

const decoded = (raw: Readable): Readable =>
  // What breaks one stream breaks the one that is read, whose reader gets the error: nothing is left to call back.
  pipeline(raw, createGunzip(), () => undefined)

/**
 * Reads a body as a stream, decoded, and stops at `maxBytes`: what a compressed body grows to is known only then, and
 * the decoder never gets further ahead than its own small buffer.
 */
export const readCapped = async (
  raw: Readable,
  encoding: Encoding,
  maxBytes: number,
): Promise<CappedBody> => {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of encoding === 'gzip' ? decoded(raw) : raw) {
    const bytes: Uint8Array = piece
    pieces.push(bytes)
    size += bytes.byteLength
    // Leaving the loop destroys the stream, and with it the connection.
    if (size > maxBytes) return { body: Buffer.concat(pieces, maxBytes), complete: false }
  }
  return { body: Buffer.concat(pieces), complete: true }
}
