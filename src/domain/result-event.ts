/** An outcome as a record of the results topic. */
import type { Outcome } from './outcome'
import { positionText } from './request'

/** A record of the results topic, ready to be written. */
export interface ResultRecord {
  readonly key: string
  /** JSON. */
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

/** The fields of a result in the order in which they are written; `source` follows. Instants become ISO 8601. */
const resultFields = [
  'id',
  'requestId',
  'deviceName',
  'productKey',
  'sourceInstanceId',
  'targetInstanceIds',
  'strategy',
  'outcome',
  'final',
  'code',
  'message',
  'attempt',
  'jobId',
  'requestedAt',
  'settledAt',
] as const satisfies readonly (keyof Outcome)[]

/** `productKey/deviceName`; the position of the request where either is unknown. */
export const outcomeKey = (outcome: Outcome): string =>
  outcome.productKey === null || outcome.deviceName === null
    ? positionText(outcome.source)
    : `${outcome.productKey}/${outcome.deviceName}`

const bodyOf = (outcome: Outcome): string => {
  const body: Record<string, unknown> = {}
  for (const field of resultFields) body[field] = outcome[field]
  const { topic, partition, offset } = outcome.source
  // The offset is text, because a JSON number cannot hold all offsets.
  body.source = { topic, partition, offset: String(offset) }
  return JSON.stringify(body)
}

const headersOf = (outcome: Outcome, cloudEvents: boolean): Record<string, string> => {
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (cloudEvents) {
    headers.ce_specversion = '1.0'
    headers.ce_id = outcome.id
    headers.ce_type = 'device-move.outcome.v1'
    headers.ce_source = '/device-move'
    headers.ce_time = outcome.settledAt.toISOString()
  }
  if (outcome.traceparent !== null) headers.traceparent = outcome.traceparent
  return headers
}

/**
 * The record of one outcome. The same outcome always gives the same record. With `cloudEvents` its headers make it a
 * CloudEvent in binary mode.
 */
export const encodeResult = (outcome: Outcome, options: { readonly cloudEvents: boolean }): ResultRecord => ({
  key: outcomeKey(outcome),
  value: bodyOf(outcome),
  headers: headersOf(outcome, options.cloudEvents),
})
