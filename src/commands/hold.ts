import { firstValueFrom, type Observable } from 'rxjs'
import {
  defaultHoldReason,
  holdReason,
  holdReasonRule,
  type RouteHold,
  routeIdOf,
} from '../domain/route-hold'
import type { RouteControl } from '../ports'
import { createPool } from '../postgres/pool'
import { createRouteControl } from '../postgres/route-hold'
import { configured } from './configured'
import { CommandError, exitCode } from './exit-code'

const usage = (text: string): never => {
  throw new CommandError(text, exitCode.usage)
}

/** Does one thing to a route, and tells how it stands then. */
const change = async (
  route: string,
  work: (routes: RouteControl, routeId: number) => Observable<RouteHold | null>,
): Promise<number> => {
  const routeId =
    routeIdOf(route) ?? usage(`${JSON.stringify(route)} is no route: give its route_id, a whole number`)
  const { databaseUrl } = configured(['databaseUrl'])
  // A connection that is lost fails the query, which says so.
  const pool = createPool(databaseUrl ?? '', { max: 1, onError: () => undefined })
  try {
    const hold = await firstValueFrom(work(createRouteControl(pool), routeId))
    if (hold === null) throw new CommandError(`There is no route ${routeId}: see device_move.routes.`)
    console.log(
      hold.heldAt === null
        ? `Route ${routeId} is not held.`
        : `Route ${routeId} is held since ${hold.heldAt.toISOString()}: ${hold.heldReason}`,
    )
    return exitCode.done
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError(`The route was not changed. ${error instanceof Error ? error.message : ''}`)
  } finally {
    await pool.end()
  }
}

/** Stops a route. */
export const holdCommand = (route: string, { reason }: { readonly reason?: string }): Promise<number> => {
  const why = holdReason(reason ?? defaultHoldReason) ?? usage(`--reason: ${holdReasonRule}`)
  return change(route, (routes, routeId) => routes.hold(routeId, why))
}

/** Resumes a route. */
export const releaseCommand = (route: string): Promise<number> =>
  change(route, (routes, routeId) => routes.release(routeId))
