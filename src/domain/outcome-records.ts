/**
 * What is published of an outcome: a record of the results topic, and for a final failure or a rejection a record of the
 * dead-letter topic, from which it can be submitted again.
 */
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
const outcomeKey = (outcome: Outcome): string =>
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

const resultHeaders = (outcome: Outcome, cloudEvents: boolean): Record<string, string> => {
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
  headers: resultHeaders(outcome, options.cloudEvents),
})

/** A record of the dead-letter topic, ready to be written. */
export interface DeadLetterRecord {
  readonly key: string
  readonly value: Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

/** Longest request id, characters. */
const idLimit = 256
/** Longest message in a header, characters. */
const messageLimit = 1000
const utf8 = new TextEncoder()

/** At most `limit` characters. The middle is cut out, since both ends of an id tell it from others. */
const shortened = (text: string, limit: number): string => {
  const characters = [...text]
  if (characters.length <= limit) return text
  const tail = Math.floor(limit / 2)
  return `${characters.slice(0, limit - tail - 1).join('')}…${characters.slice(-tail).join('')}`
}

/** The id under which a request is submitted again: `<old>~1`, then `~2` and so on, at most 256 characters. */
export const nextRequestId = (old: string): string => {
  const redriven = /^([\s\S]+)~([1-9]\d{0,8})$/.exec(old)
  const suffix = `~${Number(redriven?.[2] ?? 0) + 1}`
  return shortened(redriven?.[1] ?? old, idLimit - suffix.length) + suffix
}

/** A request for the outcome's one device, as JSON. Fields without a value are left out. */
const requestAgain = (outcome: Outcome): Uint8Array => {
  const targets = outcome.route?.targetInstanceIds ?? outcome.targetInstanceIds ?? []
  return utf8.encode(
    JSON.stringify({
      requestId: nextRequestId(outcome.requestId),
      deviceName: outcome.deviceName ?? undefined,
      productKey: outcome.productKey ?? undefined,
      sourceInstanceId: outcome.sourceInstanceId ?? undefined,
      ...(targets.length === 1 ? { targetInstanceId: targets[0] } : { targetInstanceIds: targets }),
      strategy: outcome.strategy ?? undefined,
      targetUid: outcome.route?.targetUid ?? undefined,
      targetAliyunId: outcome.route?.targetAliyunId ?? undefined,
      priority: outcome.route?.priority,
      requestedAt: outcome.requestedAt.toISOString(),
    }),
  )
}

const deadLetterHeaders = (outcome: Outcome): Record<string, string> => {
  const headers: Record<string, string> = {
    'error-code': outcome.code,
    'error-message': (outcome.message ?? '').slice(0, messageLimit),
    // A rejected request was never sent.
    attempts: String(outcome.outcome === 'rejected' ? 0 : outcome.attempt),
    'original-request-id': outcome.requestId,
    'original-topic': outcome.source.topic,
    'original-partition': String(outcome.source.partition),
    'original-offset': String(outcome.source.offset),
    'original-timestamp': String(outcome.recordedAt.getTime()),
  }
  const contentType = outcome.originalSize === null ? 'application/json' : outcome.contentType
  if (contentType !== null) headers['content-type'] = contentType
  if (outcome.originalSize !== null) headers['original-size'] = String(outcome.originalSize)
  if (outcome.traceparent !== null) headers.traceparent = outcome.traceparent
  return headers
}

/**
 * The dead letter of a final failure or rejection; null for every other outcome. Its value is a request under a new
 * id. Where the record could not be read as a request, its value is the original bytes, with the header
 * `original-size` and the content type they had. Instants in headers are ms since 1970.
 */
export const encodeDeadLetter = (outcome: Outcome): DeadLetterRecord | null => {
  if (!outcome.final || (outcome.outcome !== 'failed' && outcome.outcome !== 'rejected')) return null
  return {
    key: outcomeKey(outcome),
    value: outcome.deadLetter ?? requestAgain(outcome),
    headers: deadLetterHeaders(outcome),
  }
}

/** Everything that is published of an outcome. */
export interface EncodedOutcome {
  readonly result: ResultRecord
  /** null unless it is a final failure or a rejection. */
  readonly deadLetter: DeadLetterRecord | null
}

export const createEncodeOutcome =
  (options: { readonly cloudEvents: boolean }) =>
  (outcome: Outcome): EncodedOutcome => ({
    result: encodeResult(outcome, options),
    deadLetter: encodeDeadLetter(outcome),
  })
