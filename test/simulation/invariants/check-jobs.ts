import type { World } from '../world'
import { batchNames, namesOf, ownershipOf } from './ownership'

/** What keeps a result file from telling whose it is. */
const unreadable = ['file unreadable', 'job forgotten'] as const

/**
 * Each job that ran is that of one batch of the journal, with the same devices. A job that belongs to none was sent
 * twice, unless its batch waits for a human: then nothing of it was sent again. No stranger's job is taken for ours,
 * unless it was made at the same time, for the same route and as many devices; and then its result file gives it away,
 * where that can be read.
 */
export const checkJobs = (world: World): void => {
  const { journal, faults, violations } = world
  const { strangers, mistaken, undecided, orphans } = ownershipOf(world)
  const owners = new Map<string, number>()
  for (const { batchId, providerJobId } of journal.store.jobs) {
    if (providerJobId === null) continue
    const other = owners.get(providerJobId)
    if (other !== undefined)
      violations.broken('a job has one owner', `${providerJobId} is job ${other} and ${batchId}`)
    owners.set(providerJobId, batchId)
  }
  // Where a stranger's was taken, the job of that batch may look like the next one's.
  if (strangers.size === 0)
    for (const { batchId, providerJobId } of mistaken)
      violations.broken('a job is adopted by its own batch', `job ${batchId} took ${providerJobId}`)
  for (const [batch, { providerJobId, total }] of strangers)
    if (total !== new Set(batchNames(world, batch)).size)
      violations.broken('no stranger is adopted', `job ${batch.batchId} took ${providerJobId} for its own`)
  for (const [{ batchId, providerJobId, status }] of strangers)
    if (status === 'settled' && !unreadable.some(kind => faults.counts.has(kind)))
      violations.broken('no stranger settles a job of ours', `job ${batchId} is settled as ${providerJobId}`)
  if (undecided.length > 0 && !faults.counts.has('look-alike in the list'))
    violations.broken('no job is left undecided without need', `job ${undecided[0]?.batchId}`)
  const held = new Set(
    [...journal.store.unfinished]
      .filter(batch => batch.heldBecause !== null)
      .map(batch => namesOf(batchNames(world, batch))),
  )
  for (const { providerJobId, deviceNames } of orphans)
    if (!held.has(namesOf(deviceNames)))
      violations.broken('a job that ran has an owner', `${providerJobId}: ${deviceNames.join(' ')}`)
}
