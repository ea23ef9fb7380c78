/** `device-move cancel`: ends what is pending or waiting of a route, beside a running service or without one. */
import { firstValueFrom } from 'rxjs'
import { routeIdOf } from '../../domain/route'
import { type Cancelled, cancelRoute, previewCancel } from '../../postgres/job/cancel-moves'
import { type DatabaseFlags, withDatabase } from '../database'
import { CommandError, exitCode, usageError } from '../exit-code'

export interface CancelFlags extends DatabaseFlags {
  readonly route?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

const cancelledText = (routeId: number, { cancelled, inFlight }: Cancelled, isDry: boolean): string => {
  const ended = isDry
    ? `${cancelled} moves of route ${routeId} would be cancelled.`
    : `${cancelled} moves of route ${routeId} have failed for good, code cancelled.`
  return inFlight === 0
    ? ended
    : `${ended} ${inFlight} are in jobs that exist or may exist at the provider, and cannot be recalled.`
}

export const cancelCommand = async (flags: CancelFlags): Promise<number> => {
  const { route, dryRun = false, json = false } = flags
  if (route === undefined) return usageError('Say what is to be cancelled: --route <route>.')
  const routeId =
    routeIdOf(route) ??
    usageError(`--route: ${JSON.stringify(route)} is no route: give its route_id, a whole number`)
  return withDatabase(flags, async pool => {
    const cancelled = await firstValueFrom((dryRun ? previewCancel : cancelRoute)(pool, routeId))
    if (cancelled === null) throw new CommandError(`There is no route ${routeId}: see device_move.routes.`)
    console.log(json ? JSON.stringify(cancelled) : cancelledText(routeId, cancelled, dryRun))
    return exitCode.done
  })
}
