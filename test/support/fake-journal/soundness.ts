/** Whether the journal in memory still has what one process has seen in it. */
import { type DatabaseMarks, lostSince } from '../../../src/domain/restored-database'
import type { Soundness } from '../../../src/ports/soundness'
import type { Store } from './store'

const marksOf = (store: Store): DatabaseMarks => ({
  restore: store.counters.restores,
  epoch: store.lease.epoch,
  outboxEnd: store.counters.lastOutboxId,
  lastBatch: store.jobs.length,
  positions: new Map([...store.consumed.values()].map(({ sourceId, next }) => [`${sourceId}`, next])),
  nextTransaction: store.counters.transactions,
})

export interface FakeSoundness extends Omit<Soundness, 'met$'> {
  /** What a new connection finds: why nothing may be done, or null. */
  meet(): string | null
  /** What is there now has been seen. */
  note(): void
}

/** Of one process. */
export const createFakeSoundness = (store: Store): FakeSoundness => {
  let seen: DatabaseMarks | null = null
  const compare = (): string | null => {
    const found = marksOf(store)
    if (seen !== null && found.restore > seen.restore) seen = null
    return store.counters.stopped ?? (seen === null ? null : lostSince(seen, found))
  }
  const note = (): void => {
    seen = marksOf(store)
  }
  const look = (): string | null => {
    const why = compare()
    if (why === null) note()
    return why
  }
  return {
    look: () => store.transaction(look),
    stop: reason =>
      store.transaction(() => {
        store.counters.stopped ??= reason
        if (seen !== null && seen.epoch > store.counters.epochSeen) store.counters.epochSeen = seen.epoch
        if (seen !== null && seen.outboxEnd > store.counters.outboxEndSeen)
          store.counters.outboxEndSeen = seen.outboxEnd
      }),
    meet: look,
    note,
  }
}
