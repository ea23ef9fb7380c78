import type { Priority } from './route'

/** A route with moves to claim. */
export interface CandidateRoute {
  readonly routeId: number
  readonly priority: Priority
  /** Moves appended and not yet claimed, at least one. */
  readonly pending: number
  /** When the next move to be claimed was appended, ms since 1970. */
  readonly oldestAt: number
}

export interface Readiness {
  readonly batchMaxDevices: number
  readonly batchMaxWaitMs: number
  /** The journal's clock, ms since 1970. */
  readonly nowMs: number
}

export type RouteChoice<R extends CandidateRoute> =
  | { readonly kind: 'ready'; readonly route: R }
  /** How long until the first route is ready by itself, ms; null without candidates. */
  | { readonly kind: 'none'; readonly readyInMs: number | null }

/** Ready in so many ms: 0 when full, or when the oldest move has waited long enough. */
const readyInMs = (route: CandidateRoute, { batchMaxDevices, batchMaxWaitMs, nowMs }: Readiness): number =>
  route.pending >= batchMaxDevices ? 0 : Math.max(0, route.oldestAt + batchMaxWaitMs - nowMs)

/**
 * The best ready route: urgent ones first, then full ones (oldest first alone made 20 % more jobs under steady
 * load), then the one whose oldest move has waited longest.
 */
export const chooseRoute = <R extends CandidateRoute>(
  candidates: Iterable<R>,
  readiness: Readiness,
): RouteChoice<R> => {
  let best: R | null = null
  let soonestMs: number | null = null
  const rank = (route: R): readonly [number, number, number, number] => [
    route.priority === 'urgent' ? 0 : 1,
    route.pending >= readiness.batchMaxDevices ? 0 : 1,
    route.oldestAt,
    route.routeId,
  ]
  const isBetter = (a: R, b: R): boolean => {
    const [left, right] = [rank(a), rank(b)]
    const at = left.findIndex((value, index) => value !== right[index])
    return at >= 0 && (left[at] ?? 0) < (right[at] ?? 0)
  }
  for (const route of candidates) {
    const inMs = readyInMs(route, readiness)
    soonestMs = Math.min(soonestMs ?? inMs, inMs)
    if (inMs === 0 && (best === null || isBetter(route, best))) best = route
  }
  return best === null ? { kind: 'none', readyInMs: soonestMs } : { kind: 'ready', route: best }
}
