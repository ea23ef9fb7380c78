import type { Rejection, SourcePosition } from './request'
import type { RouteFields, Strategy } from './route'

export type OutcomeKind = 'moved' | 'failed' | 'rejected' | 'superseded'

/** How one move of a job ended, decided by `settlement.ts`. */
export interface Verdict {
  readonly seq: bigint
  readonly outcome: 'moved' | 'failed'
  readonly final: boolean
  /** The provider's code as text, or one of ours (`unknown`, `not-moved`, `interrupted`). */
  readonly code: string
  readonly message: string | null
  /** With `final: false`: how long the next attempt waits. Else null. */
  readonly retryInMs: number | null
}

/** An outcome as it is published: one record on the results topic. */
export interface Outcome {
  /** Stable: the same when published again. */
  readonly id: string
  readonly requestId: string
  readonly deviceName: string | null
  readonly productKey: string | null
  readonly sourceInstanceId: string | null
  readonly targetInstanceIds: readonly string[] | null
  readonly strategy: Strategy | number | null
  readonly outcome: OutcomeKind
  readonly final: boolean
  readonly code: string
  readonly message: string | null
  readonly attempt: number
  /** The provider's JobId. */
  readonly jobId: string | null
  readonly requestedAt: Date
  readonly settledAt: Date
  readonly source: SourcePosition
  /** Time of the record at `source`. */
  readonly recordedAt: Date
  readonly traceparent: string | null
  /** Set on what was accepted: what a dead letter needs to be submitted again. */
  readonly route: RouteFields | null
  /** Set on rejections: the dead letter's value, ready made. */
  readonly deadLetter: Uint8Array | null
  readonly originalSize: number | null
  readonly contentType: string | null
}

/** `topic/partition/offset/device/attempt`. `/` is in no device name and in no topic, so ids cannot meet. */
export const moveOutcomeId = (at: SourcePosition, deviceName: string, attempt: number): string =>
  `${at.topic}/${at.partition}/${at.offset}/${deviceName}/${attempt}`

/**
 * Like that of a move's first attempt where the device is known, though its name may break the rules and hold a `/`:
 * no two names of a record give one id, since all end in `/attempt`. Else `topic/partition/offset/#ordinal`, which
 * has no further `/`.
 */
export const rejectionOutcomeId = (at: SourcePosition, deviceName: string | null, ordinal: number): string =>
  deviceName === null
    ? `${at.topic}/${at.partition}/${at.offset}/#${ordinal}`
    : moveOutcomeId(at, deviceName, 1)

/** One attempt of a move with how it ended, as the journal keeps it. */
export interface SettledMove {
  readonly source: SourcePosition
  readonly requestId: string
  readonly deviceName: string
  readonly attempt: number
  readonly requestedAt: Date
  readonly recordedAt: Date
  readonly traceparent: string | null
  readonly outcome: 'moved' | 'failed'
  readonly final: boolean
  readonly code: string
  readonly message: string | null
}

/** What is published of a settled move. `jobId` is the provider's. */
export const outcomeOfMove = (
  move: SettledMove,
  route: RouteFields,
  jobId: string | null,
  settledAt: Date,
): Outcome => ({
  ...move,
  id: moveOutcomeId(move.source, move.deviceName, move.attempt),
  productKey: route.productKey,
  sourceInstanceId: route.sourceInstanceId,
  targetInstanceIds: route.targetInstanceIds,
  strategy: route.strategy,
  jobId,
  settledAt,
  route,
  deadLetter: null,
  originalSize: null,
  contentType: null,
})

/** What is published of a rejection: final at once. */
export const outcomeOfRejection = (rejection: Rejection, settledAt: Date): Outcome => ({
  id: rejection.id,
  requestId: rejection.requestId,
  deviceName: rejection.deviceName,
  productKey: rejection.productKey,
  sourceInstanceId: rejection.sourceInstanceId,
  targetInstanceIds: rejection.targetInstanceIds,
  strategy: rejection.strategy,
  outcome: 'rejected',
  final: true,
  code: rejection.code,
  message: rejection.message,
  attempt: 1,
  jobId: null,
  requestedAt: rejection.requestedAt,
  settledAt,
  source: rejection.position,
  recordedAt: rejection.recordedAt,
  traceparent: rejection.traceparent,
  route: null,
  deadLetter: rejection.deadLetter,
  originalSize: rejection.originalSize,
  contentType: rejection.contentType,
})
