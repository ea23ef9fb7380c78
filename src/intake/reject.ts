import { rejectionOutcomeId } from '../domain/outcome'
import type { Rejection, RejectionCode } from '../domain/request'
import { recordedAt } from './instant'
import { type KnownFields, knownFields, unknownFields } from './known-fields'
import { plainText } from './plain-text'
import type { Origin, ReadRecord, RequestRecord } from './read-record'
import { originalValue, type RedriveValue, sameRequest } from './redrive-value'
import { requestFieldNames } from './request-schema'

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
