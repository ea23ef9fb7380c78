import { moveOutcomeId, type Outcome } from './outcome'
import type { Rejection, SourcePosition } from './request'
import type { RouteFields } from './route'

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
