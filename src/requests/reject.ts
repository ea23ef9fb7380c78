import { rejectionOutcomeId } from '../domain/outcome'
import { positionText, type Rejection, type RejectionCode } from '../domain/request'
import { type JsonObject, plainText } from './json-object'
import type { Origin, ReadRecord, RequestRecord } from './read-record'
import { originalValue, type RedriveValue, sameRequest } from './redrive-value'
import { isPrintable, isRequestedAt, recordedAt, requestFieldNames } from './request-schema'

/** What may be shown of a record that was rejected: whatever is valid by itself. */
export interface KnownFields {
  readonly requestId: string
  readonly productKey: string | null
  readonly deviceName: string | null
  readonly sourceInstanceId: string | null
  readonly targetInstanceIds: readonly string[] | null
  readonly strategy: number | null
  readonly requestedAt: Date
}

const shown = (value: unknown): string | null => (isPrintable(value) ? value : null)

const distinctSorted = (values: readonly string[]): string[] => [...new Set(values)].sort()

const targetsOf = ({ targetInstanceId: one, targetInstanceIds: several }: JsonObject): string[] | null => {
  if (several === undefined) return isPrintable(one) ? [one] : null
  if (one !== undefined || !Array.isArray(several) || several.length === 0 || several.length > 100)
    return null
  return several.every(isPrintable) ? distinctSorted(several) : null
}

/** One that is left out is 0. */
const strategyOf = ({ strategy = 0 }: JsonObject): number | null =>
  strategy === 0 || strategy === 1 ? strategy : null

/** Of a record that could be read as a request. */
export const knownFields = ({ fields, origin }: RequestRecord): KnownFields => ({
  requestId: shown(fields.requestId) ?? origin.eventId ?? positionText(origin.record.position),
  productKey: shown(fields.productKey),
  // With both forms given, it is not known which one was meant.
  deviceName: fields.deviceNames === undefined ? shown(fields.deviceName) : null,
  sourceInstanceId: shown(fields.sourceInstanceId),
  targetInstanceIds: targetsOf(fields),
  strategy: strategyOf(fields),
  requestedAt: isRequestedAt(fields.requestedAt)
    ? new Date(fields.requestedAt)
    : recordedAt(origin.record.timestampMs),
})

/** Of a record that could not: where it stands and when it was made, nothing else. */
export const unknownFields = ({ record }: Origin): KnownFields => ({
  requestId: positionText(record.position),
  productKey: null,
  deviceName: null,
  sourceInstanceId: null,
  targetInstanceIds: null,
  strategy: null,
  requestedAt: recordedAt(record.timestampMs),
})

const maxProblems = 10
const maxMessage = 1000
const cure = '. Correct it and submit it again.'

/** For people: up to ten problems and what to do, at most 1,000 characters. */
export const rejectionMessage = (problems: readonly string[]): string => {
  const shown = problems.slice(0, maxProblems)
  if (problems.length > maxProblems) shown.push(`and ${problems.length - maxProblems} more`)
  return plainText(shown.join('; '), maxMessage - cure.length) + cure
}

/** One rejection out of its parts. */
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
 * Could the record be read as a request? It could if it holds one JSON object, no request field twice, and at least
 * one of them. Then what is valid of it is shown, under its own request id, and its dead letter is that request
 * under the next id. Else nothing is known but where it stood, and its dead letter is its bytes.
 */
const isRequest = (read: ReadRecord): read is RequestRecord =>
  read.kind === 'object' && requestFieldNames.some(name => Object.hasOwn(read.fields, name))

/** Rejects a record as one. */
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
