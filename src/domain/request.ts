import type { RouteFields } from './route'

/** Where a request was read: a Kafka record, or a line of a file (`topic` is then `file:<sha-256>`). */
export interface SourcePosition {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

/** `topic/partition/offset`: names a record, and is the request id of one that gives none. */
export const positionText = (at: SourcePosition): string => `${at.topic}/${at.partition}/${at.offset}`

/** A valid request: one move for each of its device names. */
export interface MoveRequest {
  readonly position: SourcePosition
  readonly requestId: string
  readonly route: RouteFields
  /** 1 to 10,000 distinct names, in the order given. */
  readonly deviceNames: readonly string[]
  readonly requestedAt: Date
  /** Time of the record itself. */
  readonly recordedAt: Date
  readonly traceparent: string | null
}

/** Why something could not become a move. The code is what results, dead letters and views show. */
export type RejectionCode =
  | 'empty_value'
  | 'invalid_encoding'
  | 'invalid_json'
  | 'invalid_request'
  | 'invalid_device_name'
  | 'record_too_large'

/** A record, or one bad name of a record, that is final without having been sent. */
export interface Rejection {
  /** Id of its outcome. */
  readonly id: string
  readonly position: SourcePosition
  /** 0-based place among the rejections of its record. */
  readonly ordinal: number
  readonly requestId: string
  /** null where the record did not say, or not validly. */
  readonly productKey: string | null
  readonly deviceName: string | null
  readonly sourceInstanceId: string | null
  readonly targetInstanceIds: readonly string[] | null
  readonly strategy: number | null
  readonly code: RejectionCode
  /** For people: what is wrong and what to do. No control characters, at most 1,000 characters. */
  readonly message: string
  readonly requestedAt: Date
  readonly recordedAt: Date
  readonly traceparent: string | null
  /** Value of its dead letter: a request to be submitted again, or the original bytes cut at 900 kB. */
  readonly deadLetter: Uint8Array
  /** Bytes of the original value, when `deadLetter` is the original value; else null. */
  readonly originalSize: number | null
  /** Content type of the original value, when `deadLetter` is the original value and it had one; else null. */
  readonly contentType: string | null
}

const keyOf = (requestId: string, productKey: string | null, deviceName: string): string =>
  JSON.stringify([requestId, productKey, deviceName])

/**
 * Of a request and device whose records came twice, once good and once bad, the first counts and the other is its
 * repeat. Gives the rejections of a chunk without those that repeat what an earlier record of the chunk had accepted;
 * with them the journal can tell which of the chunk's moves repeat a rejection.
 */
export const firstRejections = (
  requests: readonly MoveRequest[],
  rejections: readonly Rejection[],
): readonly Rejection[] => {
  const ids = new Set(
    rejections.flatMap(({ deviceName, requestId }) => (deviceName === null ? [] : requestId)),
  )
  const acceptedAt = new Map<string, bigint>()
  for (const { requestId, route, deviceNames, position } of requests) {
    if (!ids.has(requestId)) continue
    for (const deviceName of deviceNames) {
      const key = keyOf(requestId, route.productKey, deviceName)
      if (!acceptedAt.has(key)) acceptedAt.set(key, position.offset)
    }
  }
  return rejections.filter(({ requestId, productKey, deviceName, position }) => {
    const at = deviceName === null ? undefined : acceptedAt.get(keyOf(requestId, productKey, deviceName))
    return at === undefined || position.offset < at
  })
}
