/** The rejection of a record: what is shown of it, what is wrong with it, and the dead letter to submit it again. */

import { rejectionOutcomeId } from '../domain/outcome'
import { nextRequestId } from '../domain/outcome-records'
import { plainText } from '../domain/plain-text'
import { positionText, type Rejection, type RejectionCode } from '../domain/request'
import { type JsonObject, keyOf, visitMembers } from './json-object'
import { type Origin, type ReadRecord, type RequestRecord, requestedAtOf, requestIdOf } from './read-record'
import { isPrintable, isRequestedAt, recordedAt, requestFieldNames, requestFieldSet } from './request-schema'

/** The fields that are shown of a record that was rejected: each one that is valid by itself. */
export type KnownFields = Pick<
  Rejection,
  | 'requestId'
  | 'productKey'
  | 'deviceName'
  | 'sourceInstanceId'
  | 'targetInstanceIds'
  | 'strategy'
  | 'requestedAt'
>

const shown = (value: unknown): string | null => (isPrintable(value) ? value : null)

const targetsOf = ({ targetInstanceId: one, targetInstanceIds: several }: JsonObject): string[] | null => {
  if (several === undefined) return isPrintable(one) ? [one] : null
  if (one !== undefined || !Array.isArray(several) || several.length === 0 || several.length > 100)
    return null
  return several.every(isPrintable) ? [...new Set(several)].sort() : null
}

/** A strategy that is left out is 0. */
const strategyOf = ({ strategy = 0 }: JsonObject): number | null =>
  strategy === 0 || strategy === 1 ? strategy : null

/** The known fields of a record that could be read as a request. */
export const knownFields = ({ fields, origin }: RequestRecord): KnownFields => ({
  requestId: requestIdOf(shown(fields.requestId), origin),
  productKey: shown(fields.productKey),
  // Where both forms are given, either may be meant.
  deviceName: fields.deviceNames === undefined ? shown(fields.deviceName) : null,
  sourceInstanceId: shown(fields.sourceInstanceId),
  targetInstanceIds: targetsOf(fields),
  strategy: strategyOf(fields),
  requestedAt: requestedAtOf(isRequestedAt(fields.requestedAt) ? fields.requestedAt : null, origin),
})

/** The known fields of a record that could not be read as a request: its position and its time. */
const unknownFields = ({ record }: Origin): KnownFields => ({
  requestId: positionText(record.position),
  productKey: null,
  deviceName: null,
  sourceInstanceId: null,
  targetInstanceIds: null,
  strategy: null,
  requestedAt: recordedAt(record.timestampMs),
})

const maxOriginalBytes = 900_000
const utf8 = new TextEncoder()

/** The value of a rejection's dead letter. Size and content type are set where it is the value of the record. */
export type RedriveValue = Pick<Rejection, 'deadLetter' | 'originalSize' | 'contentType'>

const requestValue = (json: string): RedriveValue => ({
  deadLetter: utf8.encode(json),
  originalSize: null,
  contentType: null,
})

/** The value of the record as it came, cut at 900,000 bytes. */
const originalValue = ({ record: { value }, contentType }: Origin): RedriveValue => ({
  deadLetter: value?.subarray(0, maxOriginalBytes) ?? new Uint8Array(0),
  originalSize: value?.length ?? 0,
  contentType,
})

/**
 * The members of a request as JSON, under the next request id and without unknown fields. Values stay as they were written,
 * so that a number keeps its digits and nesting of any depth is safe.
 */
const membersAgain = (text: string, requestId: string, leftOut: readonly string[]): string => {
  const members = [`"requestId":${JSON.stringify(nextRequestId(requestId))}`]
  visitMembers(text, member => {
    const name = keyOf(text, member)
    if (requestFieldSet.has(name) && name !== 'requestId' && !leftOut.includes(name))
      members.push(`"${name}":${text.slice(member.valueFrom, member.valueTo).trim()}`)
  })
  return members.join(',')
}

/** The same request again, or the value as it came where that would be too large. */
const sameRequest = ({ text, origin }: RequestRecord, requestId: string): RedriveValue => {
  const again = requestValue(`{${membersAgain(text, requestId, [])}}`)
  return again.deadLetter.length <= maxOriginalBytes ? again : originalValue(origin)
}

/** Makes the same request again for one device of it. */
export const requestForOne = (
  { text }: RequestRecord,
  requestId: string,
): ((deviceName: unknown) => RedriveValue) => {
  const members = membersAgain(text, requestId, ['deviceName', 'deviceNames'])
  return deviceName => requestValue(`{${members},"deviceName":${JSON.stringify(deviceName)}}`)
}

const maxProblems = 10
const maxMessage = 1000
const cure = '. Correct it and submit it again.'

/** Up to ten problems and what to do, as text for people of at most 1,000 characters. */
const rejectionMessage = (problems: readonly string[]): string => {
  const shown = problems.slice(0, maxProblems)
  if (problems.length > maxProblems) shown.push(`and ${problems.length - maxProblems} more`)
  return plainText(shown.join('; '), maxMessage - cure.length) + cure
}

/** Makes a rejection of its parts. */
export const makeRejection = (
  { record, traceparent }: Origin,
  known: KnownFields,
  ordinal: number,
  code: RejectionCode,
  problems: readonly string[],
  value: RedriveValue,
): Rejection => ({
  ...known,
  ...value,
  id: rejectionOutcomeId(record.position, known.deviceName, ordinal),
  position: record.position,
  ordinal,
  code,
  message: rejectionMessage(problems),
  recordedAt: recordedAt(record.timestampMs),
  traceparent,
})

/**
 * Could the record be read as a request? It could if it holds one JSON object, with no request field twice and at least one
 * of them. Its rejection then shows what is valid, under its own request id, and its dead letter is that request under the
 * next id. Otherwise the rejection shows the position only, and the dead letter is the bytes of the record.
 */
const isRequest = (read: ReadRecord): read is RequestRecord =>
  read.kind === 'object' && requestFieldNames.some(name => Object.hasOwn(read.fields, name))

/** Rejects a record as a whole. */
export const rejectRecord = (
  read: ReadRecord,
  code: RejectionCode,
  problems: readonly string[],
): Rejection => {
  if (!isRequest(read))
    return makeRejection(
      read.origin,
      unknownFields(read.origin),
      0,
      code,
      problems,
      originalValue(read.origin),
    )
  const known = knownFields(read)
  return makeRejection(read.origin, known, 0, code, problems, sameRequest(read, known.requestId))
}
