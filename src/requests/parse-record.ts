/** What records become: each one a request, rejections or both, and a chunk of them chunks of the journal. */
import { fingerprintOf } from '../domain/fingerprint'
import type { MoveRequest, Rejection, RejectionCode } from '../domain/request'
import type { RouteFields } from '../domain/route'
import type { JournalChunk } from '../ports/journal'
import type { SourceChunk, SourceRecord } from '../ports/request-source'
import {
  type Origin,
  type ReadRecord,
  type RequestRecord,
  readRecord,
  requestedAtOf,
  requestIdOf,
} from './read-record'
import { rejectRecord } from './reject'
import { badNameProblem, rejectNames, sortNames } from './reject-names'
import { findProblems, isDeviceName, isEnvelope, type RequestFields, recordedAt } from './request-schema'

/** The account that owns the targets of a request that names none. The id is used first, else the login. */
export interface DefaultTarget {
  readonly defaultTargetUid: string | null
  readonly defaultTargetAliyunId: string | null
}

const targetsOf = (fields: RequestFields): string[] =>
  fields.targetInstanceIds === undefined
    ? [fields.targetInstanceId ?? '']
    : [...new Set(fields.targetInstanceIds)].sort()

const accountOf = (
  fields: RequestFields,
  defaults: DefaultTarget,
): Pick<RouteFields, 'targetUid' | 'targetAliyunId'> => {
  if (fields.targetUid !== undefined) return { targetUid: fields.targetUid, targetAliyunId: null }
  if (fields.targetAliyunId !== undefined) return { targetUid: null, targetAliyunId: fields.targetAliyunId }
  if (defaults.defaultTargetUid !== null)
    return { targetUid: defaults.defaultTargetUid, targetAliyunId: null }
  return { targetUid: null, targetAliyunId: defaults.defaultTargetAliyunId }
}

/** The route that a valid envelope asks for, or the problems that the schema cannot express. */
export const routeOf = (fields: RequestFields, defaults: DefaultTarget): RouteFields | readonly string[] => {
  const targetInstanceIds = targetsOf(fields)
  const account = accountOf(fields, defaults)
  const problems: string[] = []
  if (targetInstanceIds.includes(fields.sourceInstanceId)) {
    problems.push('$.sourceInstanceId is also a target; a device cannot move to where it is')
  }
  if (account.targetUid === null && account.targetAliyunId === null) {
    problems.push(
      '$.targetUid is missing; give targetUid or targetAliyunId, or configure TARGET_UID or TARGET_ALIYUN_ID',
    )
  }
  if (problems.length > 0) return problems
  return {
    productKey: fields.productKey,
    sourceInstanceId: fields.sourceInstanceId,
    strategy: fields.strategy ?? 0,
    targetInstanceIds,
    ...account,
    priority: fields.priority ?? 'normal',
  }
}

/** The request, made of a valid envelope, its route and its good names. */
const makeRequest = (
  origin: Origin,
  fields: RequestFields,
  route: RouteFields,
  deviceNames: readonly string[],
): MoveRequest => ({
  position: origin.record.position,
  requestId: requestIdOf(fields.requestId, origin),
  route,
  deviceNames,
  requestedAt: requestedAtOf(fields.requestedAt, origin),
  recordedAt: recordedAt(origin.record.timestampMs),
  traceparent: origin.traceparent,
})

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
  function* (clusterId: string, chunk: SourceChunk): Iterable<JournalChunk> {
    const { topic, partition, life, records } = chunk
    let { continuesFrom } = chunk
    let requests: MoveRequest[] = []
    let rejections: Rejection[] = []
    let weight = 0
    let lastRecord: SourceRecord | null = null
    const flush = (): JournalChunk => {
      const last = lastRecord === null ? null : fingerprintOf(lastRecord)
      const nextOffset = (last?.offset ?? -1n) + 1n
      const part = {
        clusterId,
        topic,
        partition,
        life,
        continuesFrom,
        nextOffset,
        last,
        requests,
        rejections,
      }
      continuesFrom = nextOffset
      requests = []
      rejections = []
      weight = 0
      return part
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
      lastRecord = record
    }
    // The last chunk may be empty. It moves the position on.
    yield flush()
  }
