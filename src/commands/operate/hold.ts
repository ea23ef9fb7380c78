/** `device-move hold` and `device-move release`: stop and resume one route. */
import { firstValueFrom, type Observable } from 'rxjs'
import { type HoldChange, holdReason, holdReasonRule, routeIdOf } from '../../domain/route'
import type { RouteControl } from '../../ports/journal'
import { createRouteControl } from '../../postgres/job/route-hold'
import { type DatabaseFlags, withDatabase } from '../database'
import { CommandError, exitCode, usageError } from '../exit-code'

export interface HoldFlags extends DatabaseFlags {
  readonly reason?: string
}

/** `isGiven`: the command was given a reason. */
const changeText = ({ routeId, heldAt, heldReason, wasHeld }: HoldChange, isGiven: boolean): string => {
  if (heldAt === null) return `Route ${routeId} ${wasHeld ? 'is released' : 'was not held'}.`
  const since = heldAt.toISOString()
  return wasHeld
    ? `Route ${routeId} was held already, since ${since}; the reason is ${isGiven ? 'now' : 'still'}: ${heldReason}`
    : `Route ${routeId} is held since ${since}: ${heldReason}`
}

/** Holds or releases the route, and prints what that has changed. */
const change = async (
  route: string,
  flags: HoldFlags,
  work: (routes: RouteControl, routeId: number) => Observable<HoldChange | null>,
): Promise<number> => {
  const routeId =
    routeIdOf(route) ?? usageError(`${JSON.stringify(route)} is no route: give its route_id, a whole number`)
  return withDatabase(flags, async pool => {
    const hold = await firstValueFrom(work(createRouteControl(pool), routeId))
    if (hold === null) throw new CommandError(`There is no route ${routeId}: see device_move.routes.`)
    console.log(changeText(hold, flags.reason !== undefined))
    return exitCode.done
  })
}

export const holdCommand = (route: string, flags: HoldFlags): Promise<number> => {
  const { reason } = flags
  const why = reason === undefined ? null : (holdReason(reason) ?? usageError(`--reason: ${holdReasonRule}`))
  return change(route, flags, (routes, routeId) => routes.hold(routeId, why))
}

export const releaseCommand = (route: string, flags: DatabaseFlags): Promise<number> =>
  change(route, flags, (routes, routeId) => routes.release(routeId))
