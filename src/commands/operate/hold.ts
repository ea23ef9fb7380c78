import { firstValueFrom, type Observable } from 'rxjs'
import { type HoldChange, holdReason, holdReasonRule, routeIdOf } from '../../domain/route'
import type { RouteControl } from '../../ports/journal'
import { createRouteControl } from '../../postgres/job/route-hold'
import { type DatabaseFlags, withDatabase } from '../database'
import { CommandError, exitCode } from '../exit-code'

export interface HoldFlags extends DatabaseFlags {
  readonly reason?: string
}

const usage = (text: string): never => {
  throw new CommandError(text, exitCode.usage)
}

/** `isGiven`: a reason was. */
const told = ({ routeId, heldAt, heldReason, wasHeld }: HoldChange, isGiven: boolean): string => {
  if (heldAt === null) return `Route ${routeId} ${wasHeld ? 'is released' : 'was not held'}.`
  const since = heldAt.toISOString()
  return wasHeld
    ? `Route ${routeId} was held already, since ${since}; the reason is ${isGiven ? 'now' : 'still'}: ${heldReason}`
    : `Route ${routeId} is held since ${since}: ${heldReason}`
}

/** Does one thing to a route, and tells what that changed. */
const change = async (
  route: string,
  flags: HoldFlags,
  work: (routes: RouteControl, routeId: number) => Observable<HoldChange | null>,
): Promise<number> => {
  const routeId =
    routeIdOf(route) ?? usage(`${JSON.stringify(route)} is no route: give its route_id, a whole number`)
  return withDatabase(flags, async pool => {
    const hold = await firstValueFrom(work(createRouteControl(pool), routeId))
    if (hold === null) throw new CommandError(`There is no route ${routeId}: see device_move.routes.`)
    console.log(told(hold, flags.reason !== undefined))
    return exitCode.done
  })
}

/** Stops a route. */
export const holdCommand = (route: string, flags: HoldFlags): Promise<number> => {
  const { reason } = flags
  const why = reason === undefined ? null : (holdReason(reason) ?? usage(`--reason: ${holdReasonRule}`))
  return change(route, flags, (routes, routeId) => routes.hold(routeId, why))
}

/** Resumes a route. */
export const releaseCommand = (route: string, flags: DatabaseFlags): Promise<number> =>
  change(route, flags, (routes, routeId) => routes.release(routeId))
