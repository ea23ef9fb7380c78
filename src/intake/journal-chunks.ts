import type { MoveRequest, Rejection } from '../domain/request'
import type { JournalChunk, SourceChunk, SourceRecord } from '../ports'

/** One transaction appends so many moves at most, unless a single record has more: short locks, bounded memory. */
const maxMoves = 20_000

export type ParseRecord = (record: SourceRecord) => {
  readonly requests: readonly MoveRequest[]
  readonly rejections: readonly Rejection[]
}

/** Parses a chunk of records lazily into chunks of the journal, in order; together they cover all its offsets. */
export const journalChunks = (parse: ParseRecord) =>
  function* (clusterId: string, { topic, partition, records }: SourceChunk): Iterable<JournalChunk> {
    let requests: MoveRequest[] = []
    let rejections: Rejection[] = []
    let weight = 0
    let nextOffset = 0n
    const flush = (): JournalChunk => {
      const chunk = { clusterId, topic, partition, nextOffset, requests, rejections }
      requests = []
      rejections = []
      weight = 0
      return chunk
    }
    for (const record of records) {
      const parsed = parse(record)
      const more = parsed.requests.reduce(
        (sum, request) => sum + request.deviceNames.length,
        parsed.rejections.length,
      )
      if (weight > 0 && weight + more > maxMoves) yield flush()
      requests.push(...parsed.requests)
      rejections.push(...parsed.rejections)
      weight += more
      nextOffset = record.position.offset + 1n
    }
    // Also when nothing came of the records: the position moves on.
    yield flush()
  }
