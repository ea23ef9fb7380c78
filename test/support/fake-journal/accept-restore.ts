/** What `device-move accept-restore` does, to the journal in memory. */
import type { LogPartition } from '../../../src/ports/journal'
import { sourceKey } from './intake'
import type { Store } from './store'

export interface KnownPartition extends LogPartition {
  readonly low: bigint
  readonly committed: bigint | null
}

/** True while an operator has to accept something. */
export const isStopped = (store: Store): boolean =>
  store.counters.stopped !== null || [...store.consumed.values()].some(({ stopped }) => stopped !== null)

const higher = (...of: readonly bigint[]): bigint => {
  let highest = 0n
  for (const each of of) if (each > highest) highest = each
  return highest
}

const acceptRestored = (
  store: Store,
  publisher: string,
  published: bigint,
  partitions: readonly KnownPartition[],
): void => {
  const { counters, lease } = store
  const end = counters.lastOutboxId
  counters.lastOutboxId = higher(end, published, counters.outboxEndSeen)
  lease.epoch = higher(lease.epoch, counters.epochSeen) + 1_000_000n
  counters.stopped = null
  counters.restores += 1
  for (const at of partitions) {
    if (at.committed === null) continue
    const stored = store.consumed.get(sourceKey(at))
    if (stored === undefined)
      store.consumed.set(sourceKey(at), {
        sourceId: store.consumed.size + 1,
        next: at.low,
        life: 1,
        last: null,
        stopped: null,
        committedBefore: at.committed,
        lostRecords: 0n,
      })
    else if (at.committed > stored.next)
      store.consumed.set(sourceKey(at), { ...stored, committedBefore: at.committed })
  }
  store.published.set(publisher, published)
  const again = store.outbox.map(row => {
    counters.lastOutboxId += 1n
    return { ...row, id: counters.lastOutboxId }
  })
  store.outbox.splice(0, store.outbox.length, ...again)
}

const acceptOther = (store: Store, at: KnownPartition): void => {
  const stored = store.consumed.get(sourceKey(at))
  if (stored === undefined) return
  const givenUp = { ...at, clusterId: `${at.clusterId}/given-up-${stored.sourceId}` }
  store.consumed.set(sourceKey(givenUp), { ...stored, stopped: null })
  store.consumed.set(sourceKey(at), {
    ...stored,
    sourceId: store.consumed.size + 1,
    life: stored.life + 1,
    next: at.low,
    last: null,
    stopped: null,
    committedBefore: at.committed,
    lostRecords: 0n,
  })
}

/** `published` is what the sink remembers. */
export const acceptRestore = (
  store: Store,
  publisher: string,
  published: bigint,
  partitions: readonly KnownPartition[],
): void => {
  if (store.counters.stopped !== null)
    acceptRestored(store, publisher, higher(published, store.published.get(publisher) ?? 0n), partitions)
  for (const at of partitions)
    if ((store.consumed.get(sourceKey(at))?.stopped ?? null) !== null) acceptOther(store, at)
  store.notify()
}
