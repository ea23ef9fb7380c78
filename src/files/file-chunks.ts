import type { SourceRecord } from '../ports'
import type { KnownFile } from './known-file'
import { readCsv } from './read-csv'
import type { Line } from './read-lines'
import { readNdjson } from './read-ndjson'

/** Topic of a file's records: the content names it, so the same list is the same run wherever it lies. */
export const fileTopic = (sha256: string): string => `file:${sha256}`

/** A chunk is held in memory until it is durable. */
const maxChunkBytes = 8 * 1024 * 1024

/** The file's records by line. Throws for what keeps the whole file from being read. */
export const readFileLines = (file: KnownFile): AsyncGenerator<readonly Line[]> =>
  file.format === 'csv' ? readCsv(file) : readNdjson(file)

/**
 * The records of a file from line `from` on, in chunks of at most `chunkRecords` records and about 8 MiB. Throws if
 * the file holds no record at all, read before or not.
 */
export async function* readFileChunks(
  file: KnownFile,
  from: bigint,
  chunkRecords: number,
  timestampMs: number,
): AsyncGenerator<readonly SourceRecord[]> {
  const topic = fileTopic(file.sha256)
  let [chunk, chunkBytes, empty]: [SourceRecord[], number, boolean] = [[], 0, true]
  for await (const lines of readFileLines(file)) {
    for (const line of lines) {
      empty = false
      const offset = BigInt(line.number)
      if (offset < from) continue
      const position = { topic, partition: 0, offset }
      chunk.push({ position, key: null, value: line.bytes, headers: {}, timestampMs })
      chunkBytes += line.bytes.length
      if (chunk.length < chunkRecords && chunkBytes < maxChunkBytes) continue
      yield chunk
      chunk = []
      chunkBytes = 0
    }
  }
  if (chunk.length > 0) yield chunk
  if (empty) throw new Error(`${file.name} holds no request`)
}
