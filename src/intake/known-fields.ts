import { positionText } from '../domain/request'
import { recordedAt } from './instant'
import type { JsonObject } from './read-object'
import type { Origin, RequestRecord } from './read-record'
import { isPrintable, isRequestedAt } from './request-schema'

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
