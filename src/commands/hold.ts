import { firstValueFrom, type Observable } from 'rxjs'
import {
  defaultHoldReason,
  type HoldChange,
  holdReason,
  holdReasonRule,
  routeIdOf,
} from '../domain/route-hold'
import type { RouteControl } from '../ports'
import { createPool } from '../postgres/pool'
import { createRouteControl } from '../postgres/route-hold'
import { configured } from './configured'
import { databaseProblem } from './database-problem'
import { CommandError, exitCode } from './exit-code'

const usage = (text: string): never => {
  throw new CommandError(text, exitCode.usage)
}

const told = ({ routeId, heldAt, heldReason, wasHeld }: HoldChange): string => {
  if (heldAt === null) return `Route ${routeId} ${wasHeld ? 'is released' : 'was not held'}.`
  const since = heldAt.toISOString()
  return wasHeld
    ? `Route ${routeId} was held already, since ${since}; the reason is now: ${heldReason}`
    : `Route ${routeId} is held since ${since}: ${heldReason}`
}

/** Does one thing to a route, and tells what that changed. */
const change = async (
  route: string,
  work: (routes: RouteControl, routeId: number) => Observable<HoldChange | null>,
): Promise<number> => {
  const routeId =
    routeIdOf(route) ?? usage(`${JSON.stringify(route)} is no route: give its route_id, a whole number`)
  const { databaseUrl } = configured(['databaseUrl'])
  const url = databaseUrl ?? ''
  // A connection that is lost fails the query, which says so.
  const pool = createPool(url, { max: 1, onError: () => undefined })
  try {
    const hold = await firstValueFrom(work(createRouteControl(pool), routeId))
    if (hold === null) throw new CommandError(`There is no route ${routeId}: see device_move.routes.`)
    console.log(told(hold))
    return exitCode.done
  } catch (error) {
    if (error instanceof CommandError) throw error
    const { message, status } = databaseProblem(error, url)
    throw new CommandError(`The route was not changed. ${message}`, status)
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
