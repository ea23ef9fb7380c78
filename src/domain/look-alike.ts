/** What the provider's List shows of a route for certain. */
export interface ListedRoute {
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly strategy: number
  readonly targetInstanceIds: readonly string[]
}

/**
 * Equal for routes whose jobs the provider's List cannot tell apart: it never shows the priority or the target
 * account's login, and its id only sometimes. Target instances count as a set.
 */
export const lookAlikeKey = (route: ListedRoute): string =>
  JSON.stringify([
    route.productKey,
    route.sourceInstanceId,
    route.strategy,
    [...new Set(route.targetInstanceIds)].sort(),
  ])
