import type { World } from '../world'
import { batchNames } from './ownership'

/**
 * A job that was taken for ours until its result file gave it away: a stranger's of as many devices, or, after one of
 * those, the job of a batch that looks the same. Nothing else may have been taken for ours, not even for a while.
 */
export const checkDisowned = (world: World): void => {
  const { journal, ledger, violations } = world
  const totals = new Map(ledger.strangers.map(({ providerJobId, total }) => [providerJobId, total]))
  const disowned = journal.store.jobs.flatMap(batch =>
    batch.notOurs.map(id => ({ batch, id, total: totals.get(id) })),
  )
  const afterStrangers = disowned.some(({ total }) => total !== undefined)
  for (const { batch, id, total } of disowned) {
    const took = `job ${batch.batchId} took ${id} for its own`
    if (total === undefined && !afterStrangers) violations.broken('a job is adopted by its own batch', took)
    if (total !== undefined && total !== new Set(batchNames(world, batch)).size)
      violations.broken('no stranger is adopted', took)
  }
}
