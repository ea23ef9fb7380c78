/** What records become: each one a request, rejections or both, and a chunk of them chunks of the journal. */
import type { MoveRequest, Rejection, RejectionCode } from '../domain/request'
import type { RouteFields } from '../domain/route'
import type { JournalChunk } from '../ports/journal'
import type { SourceChunk, SourceRecord } from '../ports/request-source'
import { type DefaultTarget, makeRequest, routeOf } from './make-request'
import { type ReadRecord, type RequestRecord, readRecord } from './read-record'
import { rejectRecord } from './reject'
import { badNameProblem, rejectNames, sortNames } from './reject-names'
import { findProblems, isDeviceName, isEnvelope, type RequestFields } from './request-schema'

/** What one record became: a request, rejections, or both. */
export interface ParsedRecord {
  /** At most one. */
  readonly requests: readonly MoveRequest[]
  /** In the order of their ordinals. */
  readonly rejections: readonly Rejection[]
}

export type ParseRecord = (record: SourceRecord) => ParsedRecord

const accepted = (request: MoveRequest): ParsedRecord => ({ requests: [request], rejections: [] })

const rejected = (read: ReadRecord, code: RejectionCode, problems: readonly string[]): ParsedRecord => ({
  requests: [],
  rejections: [rejectRecord(read, code, problems)],
})

const parseMany = (
  read: RequestRecord,
  fields: RequestFields,
  route: RouteFields,
  names: readonly unknown[],
): ParsedRecord => {
  const { good, bad } = sortNames(names)
  const requests = good.length === 0 ? [] : [makeRequest(read.origin, fields, route, good)]
  if (bad.length === 0) return { requests, rejections: [] }
  const rejections = rejectNames(read, bad)
  return rejections === null
    ? rejected(read, 'record_too_large', [
        `$.deviceNames has ${bad.length} bad names and fields too long to repeat for each`,
      ])
    : { requests, rejections }
}

/**
 * Makes the parser of records, which is pure and never throws. A record with some bad device names becomes a request and
 * rejections; any other becomes one of the two. `defaults` names the account of requests that name none.
 */
export const createRecordParser =
  (defaults: DefaultTarget): ParseRecord =>
  record => {
    const read = readRecord(record)
    if (read.kind === 'unreadable') return rejected(read, read.code, [read.why])

    // The check narrows this constant. A rejection needs the fields as they came.
    const envelope: unknown = read.fields
    if (!isEnvelope(envelope)) return rejected(read, 'invalid_request', findProblems(read.fields))

    const route = routeOf(envelope, defaults)
    if (!('productKey' in route)) return rejected(read, 'invalid_request', route)

    if (envelope.deviceNames !== undefined) return parseMany(read, envelope, route, envelope.deviceNames)
    const { deviceName } = envelope
    return isDeviceName(deviceName)
      ? accepted(makeRequest(read.origin, envelope, route, [deviceName]))
      : rejected(read, 'invalid_device_name', [badNameProblem('$.deviceName', deviceName)])
  }

/** Most moves and rejections of one transaction, unless a single record has more. It keeps locks short and memory bounded. */
const maxMoves = 20_000

/** Parses a chunk of records into chunks of the journal, lazily and in order. Together they cover all its offsets. */
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
    // The last chunk may be empty. It moves the position on.
    yield flush()
  }
