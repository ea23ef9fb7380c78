/** A copy of the journal in memory, to put it back in time. */
import type { Store } from './store'

const refill = <T>(target: { clear(): void }, values: Iterable<T>, add: (value: T) => void): void => {
  const all = [...values]
  target.clear()
  for (const value of all) add(value)
}

/** Copies everything. The function that it gives puts the copy in place of what is there by then. */
export const copyStore = (store: Store): (() => void) => {
  const { routes, places, jobs, unfinished, requeue, consumed, rejections, outbox, published } = store
  const { releaseDue, restores, forgottenJobs, forgottenResults, counters, lease } = store
  // One call, so that what several tables hold is still one thing in the copy.
  const copy = structuredClone({
    routes,
    places,
    jobs,
    unfinished,
    requeue,
    releaseDue,
    consumed,
    rejections,
    outbox,
    published,
    restores,
    forgottenJobs,
    forgottenResults,
    counters,
    lease,
  })
  return () => {
    refill(routes, copy.routes, ([key, value]) => routes.set(key, value))
    refill(places, copy.places, ([key, value]) => places.set(key, value))
    refill(unfinished, copy.unfinished, value => unfinished.add(value))
    refill(requeue, copy.requeue, value => requeue.add(value))
    refill(releaseDue, copy.releaseDue, value => releaseDue.add(value))
    refill(consumed, copy.consumed, ([key, value]) => consumed.set(key, value))
    refill(rejections, copy.rejections, ([key, value]) => rejections.set(key, value))
    refill(published, copy.published, ([key, value]) => published.set(key, value))
    refill(forgottenJobs, copy.forgottenJobs, ([key, value]) => forgottenJobs.set(key, value))
    refill(forgottenResults, copy.forgottenResults, ([key, value]) => forgottenResults.set(key, value))
    restores.splice(0, restores.length, ...copy.restores)
    jobs.splice(0, jobs.length, ...copy.jobs)
    outbox.splice(0, outbox.length, ...copy.outbox)
    Object.assign(counters, copy.counters)
    Object.assign(lease, copy.lease)
  }
}
