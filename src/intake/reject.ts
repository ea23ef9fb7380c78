import type { Rejection, RejectionCode } from '../domain/request'
import { type KnownFields, knownFields } from './known-fields'
import { plainText } from './plain-text'
import type { JsonObject } from './read-object'
import type { Origin } from './read-record'
import { originalValue, type RedriveValue, requestOrOriginal } from './redrive-value'

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
  origin: Origin,
  known: KnownFields,
  ordinal: number,
  code: RejectionCode,
  message: string,
  value: RedriveValue,
): Rejection => ({
  position: origin.record.position,
  ordinal,
  requestId: known.requestId,
  productKey: known.productKey,
  deviceName: known.deviceName,
  sourceInstanceId: known.sourceInstanceId,
  targetInstanceIds: known.targetInstanceIds,
  strategy: known.strategy,
  code,
  message,
  requestedAt: known.requestedAt,
  traceparent: origin.traceparent,
  deadLetter: value.deadLetter,
  originalSize: value.originalSize,
})

/** Rejects a record as one. `fields`: what could be read of its request, else empty. */
export const rejectRecord = (
  origin: Origin,
  fields: JsonObject,
  code: RejectionCode,
  problems: readonly string[],
): Rejection => {
  const known = knownFields(fields, origin)
  const { value } = origin.record
  const redrive =
    known.productKey !== null && known.deviceName !== null
      ? requestOrOriginal(fields, known.deviceName, known.requestId, value)
      : originalValue(value)
  return makeRejection(origin, known, 0, code, rejectionMessage(problems), redrive)
}
