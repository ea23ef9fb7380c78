import type { LoggedMove, RouteLog } from '../../support/fake-journal/store'
import { expectedKey } from '../workload'
import type { World } from '../world'

/**
 * Devices, by product and name, that wait for a human. They are those of held jobs, and all those of routes that look
 * like the route of a held job whose create is unanswered, since their next job could not be told from that one.
 */
export const heldDevices = ({ journal }: World): ReadonlySet<string> => {
  const { store } = journal
  const held = [...store.unfinished].filter(job => job.heldBecause !== null && !job.heldWithRoute)
  const blocked = new Set(
    held
      .filter(({ status }) => status === 'creating' || status === 'unknown')
      .map(job => job.route.lookAlike),
  )
  const devices = new Set<string>()
  const add = ({ fields }: RouteLog, move: LoggedMove): void => {
    devices.add(`${fields.productKey}/${move.deviceName}`)
  }
  for (const { route, seqs } of held) for (const seq of seqs) add(route, store.moveAt(route, seq))
  for (const route of store.routes.values())
    if (blocked.has(route.lookAlike)) for (const move of route.moves) add(route, move)
  return devices
}

/** Number of final outcomes of each request and device that a reader of committed records sees, without rejections. */
export const finalsByKey = ({ outcomes }: World): ReadonlyMap<string, number> => {
  const finals = new Map<string, number>()
  for (const { final, outcome, requestId, productKey, deviceName } of outcomes.published()) {
    if (!final || outcome === 'rejected' || productKey === null || deviceName === null) continue
    const key = expectedKey({ requestId, productKey, deviceName })
    finals.set(key, (finals.get(key) ?? 0) + 1)
  }
  return finals
}

/** Requests and devices without a final outcome that do not wait for a human. */
export const unfinished = (world: World): string[] => {
  const finals = finalsByKey(world)
  const held = heldDevices(world)
  return [...world.workload.expected].flatMap(([key, { productKey, deviceName }]) =>
    finals.has(key) || held.has(`${productKey}/${deviceName}`) ? [] : [key],
  )
}

/** True once all work is done except what waits for a human. */
export const isDone = (world: World): boolean => {
  const { outcomes, workload, ledger } = world
  if (ledger.open() > 0) return false
  const rejected = outcomes.published().filter(({ outcome }) => outcome === 'rejected').length
  return rejected >= workload.rejected && unfinished(world).length === 0
}
