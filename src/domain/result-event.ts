import type { Outcome } from './outcome'
import { positionText } from './request'

/** A record of the results topic, ready to be written. */
export interface ResultRecord {
  readonly key: string
  /** JSON. */
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

/** `productKey/deviceName`; the position of the request where either is unknown. */
export const outcomeKey = (outcome: Outcome): string =>
  outcome.productKey === null || outcome.deviceName === null
    ? positionText(outcome.source)
    : `${outcome.productKey}/${outcome.deviceName}`

const bodyOf = (outcome: Outcome): string =>
  JSON.stringify({
    id: outcome.id,
    requestId: outcome.requestId,
    deviceName: outcome.deviceName,
    productKey: outcome.productKey,
    sourceInstanceId: outcome.sourceInstanceId,
    targetInstanceIds: outcome.targetInstanceIds,
    strategy: outcome.strategy,
    outcome: outcome.outcome,
    final: outcome.final,
    code: outcome.code,
    message: outcome.message,
    attempt: outcome.attempt,
    jobId: outcome.jobId,
    requestedAt: outcome.requestedAt.toISOString(),
    settledAt: outcome.settledAt.toISOString(),
    source: {
      topic: outcome.source.topic,
      partition: outcome.source.partition,
      // Text: offsets do not fit a JSON number.
      offset: String(outcome.source.offset),
    },
  })

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
 * The record of one outcome: the same for the same outcome, however often it is made. With `cloudEvents` its
 * headers make it a CloudEvent in binary mode.
 */
export const encodeResult = (outcome: Outcome, options: { readonly cloudEvents: boolean }): ResultRecord => ({
  key: outcomeKey(outcome),
  value: bodyOf(outcome),
  headers: headersOf(outcome, options.cloudEvents),
})
