/** Urgent routes are claimed before normal ones. */
export type Priority = 'normal' | 'urgent'

/** 0: a named target instance. 1: the nearest of several; a device moves when it next connects. */
export type Strategy = 0 | 1

/** What moves must share to share a job. */
export interface RouteFields {
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly strategy: Strategy
  /** Sorted and distinct, so that equal routes are equal. More than one only with strategy 1. */
  readonly targetInstanceIds: readonly string[]
  /** Exactly one of `targetUid` and `targetAliyunId` is set. */
  readonly targetUid: string | null
  readonly targetAliyunId: string | null
  readonly priority: Priority
}

/** One string per distinct route: equal keys mean equal routes. */
export const routeKey = (route: RouteFields): string =>
  JSON.stringify([
    route.productKey,
    route.sourceInstanceId,
    route.strategy,
    route.targetInstanceIds,
    route.targetUid,
    route.targetAliyunId,
    route.priority,
  ])
