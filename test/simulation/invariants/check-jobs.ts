import type { World } from '../world'
import { batchNames, namesOf, ownershipOf } from './ownership'

/** Faults after which a result file does not show whose job it is. */
const unreadable = ['file unreadable', 'job forgotten'] as const

/**
 * Each job that ran belongs to one batch of the journal with the same devices. A job that belongs to no batch was sent
 * twice, unless its batch is held, because nothing of a held batch is sent again. A stranger's job is taken for ours
 * only if it has the same route, time and number of devices, and it settles our batch only if its result file cannot be
 * read.
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
  // If a batch took a stranger's job, its own job may look like that of the next batch.
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
