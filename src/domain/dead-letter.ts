/** A final failure or a rejection as a record of the dead-letter topic, from which it can be submitted again. */
import type { Outcome } from './outcome'
import { outcomeKey } from './result-event'

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

const headersOf = (outcome: Outcome): Record<string, string> => {
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
    headers: headersOf(outcome),
  }
}
