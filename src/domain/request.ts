import type { RouteFields } from './route'

/** What intake makes of a record: a request to move devices, or a rejection. */

/** Where a request was read: a Kafka record, or a line of a file (`topic` is then `file:<sha-256>`). */
export interface SourcePosition {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** The name of the topic in ids (`logName`), where it is not the topic's own. */
  readonly log?: string | null
}

/** The name in ids of a topic that was deleted and made anew, so that its records differ from those of before. */
export const logName = (topic: string, life: number): string | null => (life > 1 ? `${topic}@${life}` : null)

/**
 * `topic/partition/offset`, from a topic's second life on `topic@2/partition/offset`. It names a record, and is the request
 * id of a record that gives none.
 */
export const positionText = (at: SourcePosition): string =>
  `${at.log ?? at.topic}/${at.partition}/${at.offset}`

/** A valid request: one move for each of its device names. */
export interface MoveRequest {
  readonly position: SourcePosition
  readonly requestId: string
  readonly route: RouteFields
  /** 1 to 10,000 distinct names, in the order given. */
  readonly deviceNames: readonly string[]
  readonly requestedAt: Date
  /** Timestamp of the record itself. */
  readonly recordedAt: Date
  readonly traceparent: string | null
}

/** Why a record or a name could not become a move, as results, dead letters and views show it. */
export type RejectionCode =
  | 'empty_value'
  | 'invalid_encoding'
  | 'invalid_json'
  | 'invalid_request'
  | 'invalid_device_name'
  | 'record_too_large'

/** A record, or one bad name of a record, that is rejected for good without having been sent. */
export interface Rejection {
  /** Id of its outcome. */
  readonly id: string
  readonly position: SourcePosition
  /** 0-based place among the rejections of its record. */
  readonly ordinal: number
  readonly requestId: string
  /** Like the fields below, null where the record gives no value or no valid one. */
  readonly productKey: string | null
  readonly deviceName: string | null
  readonly sourceInstanceId: string | null
  readonly targetInstanceIds: readonly string[] | null
  readonly strategy: number | null
  readonly code: RejectionCode
  /** For people: what is wrong and what to do. It has no control characters and at most 1,000 characters. */
  readonly message: string
  readonly requestedAt: Date
  readonly recordedAt: Date
  readonly traceparent: string | null
  /** Value of its dead letter: a request that can be submitted again, or the original bytes cut at 900 kB. */
  readonly deadLetter: Uint8Array
  /** Size of the original value in bytes if `deadLetter` is the original value, else null. */
  readonly originalSize: number | null
  /** Content type of the original value if `deadLetter` is the original value and it had one, else null. */
  readonly contentType: string | null
}

const keyOf = (requestId: string, productKey: string | null, deviceName: string): string =>
  JSON.stringify([requestId, productKey, deviceName])

/**
 * The rejections of a chunk without those that repeat a move of an earlier record of the chunk. If a request and device
 * occur twice, once valid and once not, the first counts and the other is its repeat. By the remaining rejections the
 * journal tells which moves of the chunk repeat a rejection.
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
