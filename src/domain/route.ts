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

/** An operator stops a route: nothing new of it is bound to a job; what is bound goes on. */
export interface RouteHold {
  readonly routeId: number
  /** Since when; null: it is not held. */
  readonly heldAt: Date | null
  readonly heldReason: string | null
}

/** How a route stands once it was held or released. */
export interface HoldChange extends RouteHold {
  /** Before. */
  readonly wasHeld: boolean
}

/** Of a route that is held where nobody said why. */
export const defaultHoldReason = 'held by an operator'

const longest = 256

/** The reason as it is stored, or null for one that is none: blank, too long, or with control characters. */
export const holdReason = (text: string): string | null => {
  const reason = text.trim()
  return reason !== '' && reason.length <= longest && !/\p{C}/u.test(reason) ? reason : null
}

export const holdReasonRule = `the reason is 1 to ${longest} printable characters`

/** The number of a route (`route_id` in the views) as people write it, or null. */
export const routeIdOf = (text: string): number | null => {
  const id = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0
  return id >= 1 && id <= 2_147_483_647 ? id : null
}
