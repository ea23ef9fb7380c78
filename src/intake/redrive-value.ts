import { nextRequestId } from '../domain/dead-letter'
import type { JsonObject } from './read-object'
import { requestFieldNames } from './request-schema'

const maxOriginalBytes = 900_000
const utf8 = new TextEncoder()

/** Value of a rejection's dead letter. `originalSize`: bytes of the record's value, where it is that value. */
export interface RedriveValue {
  readonly deadLetter: Uint8Array
  readonly originalSize: number | null
}

/** The record's value as it came, cut at 900,000 bytes. */
export const originalValue = (value: Uint8Array | null): RedriveValue => ({
  deadLetter: value?.subarray(0, maxOriginalBytes) ?? new Uint8Array(0),
  originalSize: value?.length ?? 0,
})

/** A request for one device out of `fields`, under the next request id. Unknown fields are left out. */
export const requestForOne = (fields: JsonObject, deviceName: unknown, requestId: string): RedriveValue => {
  const again: Record<string, unknown> = {}
  for (const name of requestFieldNames) {
    if (name === 'requestId') again.requestId = nextRequestId(requestId)
    else if (name === 'deviceName') again.deviceName = deviceName
    else if (name !== 'deviceNames') again[name] = fields[name]
  }
  return { deadLetter: utf8.encode(JSON.stringify(again)), originalSize: null }
}

/** The request for one device; the value as it came where that would be too large, or nested too deep to write. */
export const requestOrOriginal = (
  fields: JsonObject,
  deviceName: string,
  requestId: string,
  value: Uint8Array | null,
): RedriveValue => {
  try {
    const again = requestForOne(fields, deviceName, requestId)
    return again.deadLetter.length <= maxOriginalBytes ? again : originalValue(value)
  } catch {
    return originalValue(value)
  }
}
