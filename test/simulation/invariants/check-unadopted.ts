import type { World } from '../world'
import { batchNames } from './ownership'

/**
 * Only two kinds of jobs may have been adopted and then unadopted by their result file. One is a stranger's job with as
 * many devices. The other, once that has happened, is the job of another batch that looks the same. No other job may
 * have been taken for ours, even for a while.
 */
export const checkUnadopted = (world: World): void => {
  const { journal, ledger, violations } = world
  const totals = new Map(ledger.strangers.map(({ providerJobId, total }) => [providerJobId, total]))
  const unadopted = journal.store.jobs.flatMap(batch =>
    batch.notOurs.map(id => ({ batch, id, total: totals.get(id) })),
  )
  const afterStrangers = unadopted.some(({ total }) => total !== undefined)
  for (const { batch, id, total } of unadopted) {
    // An operator has sent its devices again. The job was its own.
    if (ledger.jobs.get(id)?.givenUpAt != null) continue
    const took = `job ${batch.batchId} took ${id} for its own`
    if (total === undefined && !afterStrangers) violations.broken('a job is adopted by its own batch', took)
    if (total !== undefined && total !== new Set(batchNames(world, batch)).size)
      violations.broken('no stranger is adopted', took)
  }
}
