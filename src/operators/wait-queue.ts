import { Observable } from 'rxjs'

/** Subscribers that wait to be admitted, first come first served, and the loop that admits them. */
export interface WaitQueue<Ticket> {
  /**
   * Subscribing joins the end of the queue. It emits one ticket when the subscriber is admitted, and completes.
   * Unsubscribing leaves the queue.
   */
  readonly enqueue$: Observable<Ticket>
  /** Admits the first in the queue if `issue` gives a ticket. Returns true if one was admitted. */
  admitFirst(issue: () => Ticket | null): boolean
  /** Number of subscribers that wait. */
  size(): number
}

/** `onEnqueued` is called after each subscriber that joins, to try to admit it. */
export const createWaitQueue = <Ticket>(onEnqueued: () => void): WaitQueue<Ticket> => {
  // A set keeps the order of joining, and removes one that leaves in constant time.
  const queue = new Set<(ticket: Ticket) => void>()

  const enqueue$ = new Observable<Ticket>(subscriber => {
    const admit = (ticket: Ticket): void => {
      subscriber.next(ticket)
      subscriber.complete()
    }
    queue.add(admit)
    subscriber.add(() => queue.delete(admit))
    onEnqueued()
  })

  const admitFirst = (issue: () => Ticket | null): boolean => {
    for (const admit of queue) {
      const ticket = issue()
      if (ticket === null) return false
      queue.delete(admit)
      admit(ticket)
      return true
    }
    return false
  }

  return { enqueue$, admitFirst, size: () => queue.size }
}

/**
 * Returns a function that repeats `step` until it returns false. Called from within a step, the function returns at
 * once and the loop under way goes on. So the stack stays flat when steps set each other off.
 */
export const createPump = (step: () => boolean): (() => void) => {
  let pumping = false
  return () => {
    if (pumping) return
    pumping = true
    try {
      while (step());
    } finally {
      pumping = false
    }
  }
}
