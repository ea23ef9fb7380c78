/** What moves have to share so that one job can carry them, and how an operator holds it. */

/** Urgent routes are claimed before normal ones. */
export type Priority = 'normal' | 'urgent'

/**
 * The provider's distribution strategy. 0: to the one named target instance. 1: to the nearest of several, when the
 * device next connects.
 */
export type Strategy = 0 | 1

/** The fields that moves have to share to share a job. */
export interface RouteFields {
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly strategy: Strategy
  /** Sorted and distinct, so that equal routes have equal fields. There is more than one only with strategy 1. */
  readonly targetInstanceIds: readonly string[]
  /** Exactly one of `targetUid` and `targetAliyunId` is set. */
  readonly targetUid: string | null
  readonly targetAliyunId: string | null
  readonly priority: Priority
}

/** A key that is equal for equal routes only. */
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

/**
 * Who holds a route. `refused`: the provider refused a batch of it with a code that concerns the route. One batch an
 * hour is tried then, and the hold ends when one is created. An operator's hold ends by `release` only.
 */
export type HoldKind = 'operator' | 'refused'

/** The hold of a route. No further move of a held route is bound to a job. */
export interface RouteHold {
  readonly routeId: number
  /** null: the route is not held. */
  readonly heldAt: Date | null
  readonly heldKind: HoldKind | null
  readonly heldReason: string | null
}

/** The hold of a route after it was held or released. */
export interface HoldChange extends RouteHold {
  /** Whether the route was held before. */
  readonly wasHeld: boolean
}

/** The reason of a hold for which the operator gives none. */
export const defaultHoldReason = 'held by an operator'

/** Characters of a reason at most. */
const longest = 256

/** The reason as it is stored. null: the text is blank, too long, or has control characters. */
export const holdReason = (text: string): string | null => {
  const reason = text.trim()
  return reason !== '' && reason.length <= longest && !/\p{C}/u.test(reason) ? reason : null
}

export const holdReasonRule = `the reason is 1 to ${longest} printable characters`

/** The number of a route (`route_id` in the views) as people write it. null: the text is no such number. */
export const routeIdOf = (text: string): number | null => {
  const id = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0
  return id >= 1 && id <= 2_147_483_647 ? id : null
}
