/** What the journal in memory releases when a move has ended for which others wait. */
import { asyncScheduler } from 'rxjs'
import type { Requeued, Store } from './store'

const inOrder = (a: Requeued, b: Requeued): number =>
  Number((a.waitsFor ?? 0n) - (b.waitsFor ?? 0n)) || Number(a.acceptedOrder - b.acceptedOrder)

/** Makes the moves due now that waited for one of `accepted`: so many of them, and the rest at the next claims. */
export const releaseWaiting = (store: Store, accepted: ReadonlySet<bigint>): void => {
  const waiting = [...store.requeue].filter(({ waitsFor }) => waitsFor !== null && accepted.has(waitsFor))
  let released = 0
  for (const requeued of waiting.sort(inOrder)) {
    if (released >= store.mostReleased) {
      if (requeued.waitsFor !== null) store.releaseDue.add(requeued.waitsFor)
      continue
    }
    released += 1
    requeued.waitsFor = null
    requeued.dueAt = asyncScheduler.now()
  }
}

/** Releases what was left of those that ended before. */
export const releaseLeft = (store: Store): void => {
  const ended = new Set(store.releaseDue)
  store.releaseDue.clear()
  releaseWaiting(store, ended)
}
