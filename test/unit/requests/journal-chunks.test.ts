import type { JournalChunk } from '../../../src/ports/journal'
import type { SourceChunk, SourceRecord } from '../../../src/ports/request-source'
import { createRecordParser, journalChunks } from '../../../src/requests/parse-record'
import { goodRequest, makeRecord } from './make-record'

const { deviceName: _one, ...request } = goodRequest

const recordAt = (offset: number, devices: number): SourceRecord => {
  const deviceNames = Array.from({ length: devices }, (_, n) => `meter-${offset}-${n}`)
  const record = makeRecord(devices === 0 ? 'no JSON' : { ...request, deviceNames })
  return { ...record, position: { ...record.position, offset: BigInt(offset) } }
}

/** Next offset, moves and rejections of each chunk of the journal. Each record has that many devices; 0 is a bad record. */
const chunksOf = (...devices: readonly number[]): (readonly [bigint, number, number])[] => {
  const chunk: SourceChunk = {
    topic: 'device-move.requests',
    partition: 3,
    life: 1,
    continuesFrom: 0n,
    done: () => undefined,
    fail: () => undefined,
    records: devices.map((count, offset) => recordAt(offset, count)),
  }
  const parse = createRecordParser({ defaultTargetUid: null, defaultTargetAliyunId: null })
  const movesOf = ({ requests }: JournalChunk): number =>
    requests.reduce((sum, { deviceNames }) => sum + deviceNames.length, 0)
  return [...journalChunks(parse)('cluster', chunk)].map(part => [
    part.nextOffset,
    movesOf(part),
    part.rejections.length,
  ])
}

describe('chunks of the journal', () => {
  it('hold at most 20,000 moves, and whole records', () => {
    expect(chunksOf(9_000, 9_000, 2_000, 1, 10_000, 10_000)).toEqual([
      [3n, 20_000, 0],
      [5n, 10_001, 0],
      [6n, 10_000, 0],
    ])
  })

  it('count a rejection like a move', () => {
    expect(chunksOf(10_000, 0, 10_000)).toEqual([
      [2n, 10_000, 1],
      [3n, 10_000, 0],
    ])
  })

  it('move the position past records that are no requests', () => {
    expect(chunksOf(0, 0)).toEqual([[2n, 0, 2]])
  })
})
