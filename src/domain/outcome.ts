/** How moves and rejections end, and what is published of each. */
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

/** `topic/partition/offset/device/attempt`. No device name and no topic holds a `/`, so ids are distinct. */
export const moveOutcomeId = (at: SourcePosition, deviceName: string, attempt: number): string =>
  `${at.log ?? at.topic}/${at.partition}/${at.offset}/${deviceName}/${attempt}`

/**
 * Where the device is known, the id is that of a move's first attempt. Its name may break the rules and hold a `/`;
 * two names of a record still give two ids, since all end in `/attempt`. Else the id is
 * `topic/partition/offset/#ordinal`, which has no further `/`.
 */
export const rejectionOutcomeId = (at: SourcePosition, deviceName: string | null, ordinal: number): string =>
  deviceName === null
    ? `${at.log ?? at.topic}/${at.partition}/${at.offset}/#${ordinal}`
    : moveOutcomeId(at, deviceName, 1)

/** The fields that a move and a rejection both have, under the same names. */
type Common = Pick<
  Outcome,
  'requestId' | 'deviceName' | 'code' | 'message' | 'requestedAt' | 'recordedAt' | 'traceparent'
>

/** Where the device was to go. */
type Journey = Pick<Outcome, 'productKey' | 'sourceInstanceId' | 'targetInstanceIds' | 'strategy'>

/** Copies by name: `common` and `journey` may be rows with more columns, and an outcome has none but its own fields. */
const outcomeOf = (
  common: Common,
  journey: Journey,
  rest: Omit<Outcome, keyof Common | keyof Journey>,
): Outcome => ({
  requestId: common.requestId,
  deviceName: common.deviceName,
  code: common.code,
  message: common.message,
  requestedAt: common.requestedAt,
  recordedAt: common.recordedAt,
  traceparent: common.traceparent,
  productKey: journey.productKey,
  sourceInstanceId: journey.sourceInstanceId,
  targetInstanceIds: journey.targetInstanceIds,
  strategy: journey.strategy,
  ...rest,
})

/** One attempt of a move with how it ended, as the journal keeps it. */
export interface SettledMove extends Common, Pick<Outcome, 'source' | 'attempt' | 'final'> {
  readonly deviceName: string
  readonly outcome: Verdict['outcome']
}

/** What is published of a settled move. `jobId` is the provider's. */
export const outcomeOfMove = (
  move: SettledMove,
  route: RouteFields,
  jobId: string | null,
  settledAt: Date,
): Outcome =>
  outcomeOf(move, route, {
    id: moveOutcomeId(move.source, move.deviceName, move.attempt),
    outcome: move.outcome,
    final: move.final,
    attempt: move.attempt,
    jobId,
    settledAt,
    source: move.source,
    route,
    deadLetter: null,
    originalSize: null,
    contentType: null,
  })

/** What is published of a rejection: final at once. */
export const outcomeOfRejection = (rejection: Rejection, settledAt: Date): Outcome =>
  outcomeOf(rejection, rejection, {
    id: rejection.id,
    outcome: 'rejected',
    final: true,
    attempt: 1,
    jobId: null,
    settledAt,
    source: rejection.position,
    route: null,
    deadLetter: rejection.deadLetter,
    originalSize: rejection.originalSize,
    contentType: rejection.contentType,
  })
