import type { World } from '../world'

export const movedOnce = 'no device is moved again after a restore'

/**
 * After the database went back in time no device is moved more often for one target than requests asked for, as far as
 * result files tell of it. Jobs that a human has gone on without are not counted, nor those that the provider has forgotten
 * as well as the database.
 */
export const checkAfterLoss = ({ journal: { store }, ledger, violations }: World): void => {
  if (store.restores.length === 0) return
  const asked = new Map<string, Set<string>>()
  for (const { fields, moves } of store.routes.values())
    for (const { deviceName, requestId } of moves) {
      const key = `${deviceName} ${fields.productKey} ${fields.targetInstanceIds.join()}`
      asked.set(key, (asked.get(key) ?? new Set()).add(requestId))
    }
  const ours = new Set(store.jobs.map(({ providerJobId }) => providerJobId))
  const moved = new Map<string, string[]>()
  for (const {
    providerJobId,
    productKey,
    target,
    rows,
    moved: devices,
    isForgotten,
  } of ledger.jobs.values()) {
    const state = store.forgottenJobs.get(providerJobId)?.state
    if (state === 'given-up' || (isForgotten && state !== 'read' && !ours.has(providerJobId))) continue
    for (const deviceName of devices) {
      if (rows.get(deviceName) !== '200') continue
      const key = `${deviceName} ${productKey} ${target}`
      moved.set(key, [...(moved.get(key) ?? []), providerJobId])
    }
  }
  for (const [key, jobs] of moved) {
    const requests = asked.get(key)?.size ?? 0
    if (jobs.length > requests)
      violations.broken(movedOnce, `${key}: moved by ${jobs.join(', ')} for ${requests} requests`)
  }
}
