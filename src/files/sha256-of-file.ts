import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** Names a file's content: its SHA-256 in hex, and its bytes. */
export interface FileIdentity {
  readonly sha256: string
  readonly bytes: number
}

/** Reads a whole file once. Throws what the file system throws. */
export const sha256OfFile = async (path: string): Promise<FileIdentity> => {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of createReadStream(path)) {
    hash.update(piece)
    bytes += piece.length
  }
  return { sha256: hash.digest('hex'), bytes }
}
