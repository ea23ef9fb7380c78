import { nextRequestId } from '../domain/dead-letter'
import { keyOf, visitMembers } from './json-object'
import type { Origin, RequestRecord } from './read-record'
import { requestFieldSet } from './request-schema'

const maxOriginalBytes = 900_000
const utf8 = new TextEncoder()

/** Value of a rejection's dead letter. The last two are of the record's value, where it is that value. */
export interface RedriveValue {
  readonly deadLetter: Uint8Array
  /** Bytes. */
  readonly originalSize: number | null
  readonly contentType: string | null
}

const requestValue = (json: string): RedriveValue => ({
  deadLetter: utf8.encode(json),
  originalSize: null,
  contentType: null,
})

/** The record's value as it came, cut at 900,000 bytes. */
export const originalValue = ({ record: { value }, contentType }: Origin): RedriveValue => ({
  deadLetter: value?.subarray(0, maxOriginalBytes) ?? new Uint8Array(0),
  originalSize: value?.length ?? 0,
  contentType,
})

/**
 * Members of a request as JSON, under the next request id and without unknown fields. Values stay as they were
 * written: a number keeps its digits, and nesting may be as deep as it likes.
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

/** The same request again; the value as it came where that would be too large. */
export const sameRequest = ({ text, origin }: RequestRecord, requestId: string): RedriveValue => {
  const again = requestValue(`{${membersAgain(text, requestId, [])}}`)
  return again.deadLetter.length <= maxOriginalBytes ? again : originalValue(origin)
}

/** Makes the request again for single devices of it. */
export const requestForOne = (
  { text }: RequestRecord,
  requestId: string,
): ((deviceName: unknown) => RedriveValue) => {
  const members = membersAgain(text, requestId, ['deviceName', 'deviceNames'])
  return deviceName => requestValue(`{${members},"deviceName":${JSON.stringify(deviceName)}}`)
}
