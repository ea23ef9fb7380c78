/** The route and the request that a valid envelope asks for. */
import type { MoveRequest } from '../domain/request'
import type { RouteFields } from '../domain/route'
import { type Origin, requestedAtOf, requestIdOf } from './read-record'
import { type RequestFields, recordedAt } from './request-schema'

/** The account that owns the targets of a request that names none. The id is used first, else the login. */
export interface DefaultTarget {
  readonly defaultTargetUid: string | null
  readonly defaultTargetAliyunId: string | null
}

const targetsOf = (fields: RequestFields): string[] =>
  fields.targetInstanceIds === undefined
    ? [fields.targetInstanceId ?? '']
    : [...new Set(fields.targetInstanceIds)].sort()

const accountOf = (
  fields: RequestFields,
  defaults: DefaultTarget,
): Pick<RouteFields, 'targetUid' | 'targetAliyunId'> => {
  if (fields.targetUid !== undefined) return { targetUid: fields.targetUid, targetAliyunId: null }
  if (fields.targetAliyunId !== undefined) return { targetUid: null, targetAliyunId: fields.targetAliyunId }
  if (defaults.defaultTargetUid !== null)
    return { targetUid: defaults.defaultTargetUid, targetAliyunId: null }
  return { targetUid: null, targetAliyunId: defaults.defaultTargetAliyunId }
}

/** The route that a valid envelope asks for, or the problems that the schema cannot express. */
export const routeOf = (fields: RequestFields, defaults: DefaultTarget): RouteFields | readonly string[] => {
  const targetInstanceIds = targetsOf(fields)
  const account = accountOf(fields, defaults)
  const problems: string[] = []
  if (targetInstanceIds.includes(fields.sourceInstanceId)) {
    problems.push('$.sourceInstanceId is also a target; a device cannot move to where it is')
  }
  if (account.targetUid === null && account.targetAliyunId === null) {
    problems.push(
      '$.targetUid is missing; give targetUid or targetAliyunId, or configure TARGET_UID or TARGET_ALIYUN_ID',
    )
  }
  if (problems.length > 0) return problems
  return {
    productKey: fields.productKey,
    sourceInstanceId: fields.sourceInstanceId,
    strategy: fields.strategy ?? 0,
    targetInstanceIds,
    ...account,
    priority: fields.priority ?? 'normal',
  }
}

/** The request, made of a valid envelope, its route and its good names. */
export const makeRequest = (
  origin: Origin,
  fields: RequestFields,
  route: RouteFields,
  deviceNames: readonly string[],
): MoveRequest => ({
  position: origin.record.position,
  requestId: requestIdOf(fields.requestId, origin),
  route,
  deviceNames,
  requestedAt: requestedAtOf(fields.requestedAt, origin),
  recordedAt: recordedAt(origin.record.timestampMs),
  traceparent: origin.traceparent,
})
