import type { KnownFile } from './known-file'
import { type Line, readLines } from './read-lines'

const isBlank = (bytes: Buffer): boolean =>
  bytes.every(byte => byte === 0x20 || byte === 0x09 || byte === 0x0d)

/** The records of an NDJSON file: every line that is not blank, as it is. */
export async function* readNdjson(file: KnownFile): AsyncGenerator<readonly Line[]> {
  for await (const lines of readLines(file)) {
    yield lines.filter(line => !isBlank(line.bytes))
  }
}
