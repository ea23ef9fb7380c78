import { positionText } from '../domain/request'
import { recordedAt } from './instant'
import type { JsonObject } from './read-object'
import type { Origin } from './read-record'
import { isPrintable, isRequestedAt } from './request-schema'

/** What may be shown of a record that is no request: whatever is valid by itself. */
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

const requestedAtOf = (value: unknown, origin: Origin): Date =>
  isRequestedAt(value) ? new Date(value) : recordedAt(origin.record.timestampMs)

/** The known fields of a record; `fields` is empty for one that could not be read. */
export const knownFields = (fields: JsonObject, origin: Origin): KnownFields => ({
  requestId: shown(fields.requestId) ?? origin.eventId ?? positionText(origin.record.position),
  productKey: shown(fields.productKey),
  // With both forms given, it is not known which one was meant.
  deviceName: fields.deviceNames === undefined ? shown(fields.deviceName) : null,
  sourceInstanceId: shown(fields.sourceInstanceId),
  targetInstanceIds: targetsOf(fields),
  strategy: fields.strategy === 0 || fields.strategy === 1 ? fields.strategy : null,
  requestedAt: requestedAtOf(fields.requestedAt, origin),
})
