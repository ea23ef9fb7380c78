import type { StoredJob } from '../../support/fake-journal/store'
import type { LedgerJob, Stranger } from '../ledger'
import type { World } from '../world'

/** Which job of the provider carried out which batch of the journal. */
export interface Ownership {
  /** The job that ran for each batch. */
  readonly ran: ReadonlyMap<StoredJob, LedgerJob>
  /** Batches that have a stranger's job for their own. */
  readonly strangers: ReadonlyMap<StoredJob, Stranger>
  /** Batches that have the job of another batch of ours. */
  readonly mistaken: readonly StoredJob[]
  /** Batches that ended without a JobId, because their create had no answer and several jobs could have been theirs. */
  readonly undecided: readonly StoredJob[]
  /** Jobs of ours that belong to no batch, without those that never end and were given up. */
  readonly orphans: readonly LedgerJob[]
}

/** A text that is equal for equal sets of device names. */
export const namesOf = (names: Iterable<string>): string => [...new Set(names)].sort().join(' ')

export const batchNames = ({ journal }: World, { route, seqs }: StoredJob): string[] =>
  seqs.map(seq => journal.store.moveAt(route, seq).deviceName)

/**
 * Finds the job of each batch. A batch that has a job which only looks like its own, or has none, may have a job of its
 * own nevertheless. That is the job with the same devices.
 */
export const ownershipOf = (world: World): Ownership => {
  const { journal, ledger } = world
  const ran = new Map<StoredJob, LedgerJob>()
  const strangers = new Map<StoredJob, Stranger>()
  const mistaken: StoredJob[] = []
  const undecided = journal.store.jobs.filter(
    ({ providerJobId, status, endedAs }) =>
      providerJobId === null && (status === 'completed' || (status === 'settled' && endedAs === 'completed')),
  )
  for (const batch of journal.store.jobs) {
    const job = ledger.jobs.get(batch.providerJobId ?? '')
    const stranger = ledger.strangers.find(each => each.providerJobId === batch.providerJobId)
    if (job !== undefined && namesOf(job.deviceNames) === namesOf(batchNames(world, batch)))
      ran.set(batch, job)
    else if (job !== undefined) mistaken.push(batch)
    if (stranger !== undefined) strangers.set(batch, stranger)
  }
  const owned = new Set(ran.values())
  const orphans = new Set([...ledger.jobs.values()].filter(job => !owned.has(job)))
  for (const batch of [...strangers.keys(), ...mistaken, ...undecided]) {
    const names = namesOf(batchNames(world, batch))
    const own = [...orphans].find(job => namesOf(job.deviceNames) === names)
    if (own === undefined) continue
    ran.set(batch, own)
    orphans.delete(own)
  }
  return {
    ran,
    strangers,
    mistaken,
    undecided,
    orphans: [...orphans].filter(({ givenUpAt }) => givenUpAt === null),
  }
}
