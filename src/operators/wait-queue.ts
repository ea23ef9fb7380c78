import { Observable } from 'rxjs'

/** Subscribers waiting to be admitted, first come first served. */
export interface WaitQueue<Ticket> {
  /** Joins the end of the line; emits one ticket when admitted and completes. Unsubscribing leaves the line. */
  readonly join$: Observable<Ticket>
  /** Admits the first in line if `issue` has a ticket for it. True: somebody was admitted. */
  admitFirst(issue: () => Ticket | null): boolean
  /** How many wait. */
  size(): number
}

/** `onJoined` is called whenever somebody has joined: try to admit. */
export const createWaitQueue = <Ticket>(onJoined: () => void): WaitQueue<Ticket> => {
  // A set keeps the order of joining, and whoever leaves costs nothing.
  const line = new Set<(ticket: Ticket) => void>()

  const join$ = new Observable<Ticket>(subscriber => {
    const admit = (ticket: Ticket): void => {
      subscriber.next(ticket)
      subscriber.complete()
    }
    line.add(admit)
    subscriber.add(() => line.delete(admit))
    onJoined()
  })

  const admitFirst = (issue: () => Ticket | null): boolean => {
    for (const admit of line) {
      const ticket = issue()
      if (ticket === null) return false
      line.delete(admit)
      admit(ticket)
      return true
    }
    return false
  }

  return { join$, admitFirst, size: () => line.size }
}

/**
 * Returns a function that does `step` until it says false. Called again from within a step it returns at once and
 * the loop under way goes on, so however steps set each other off, the stack stays flat.
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
