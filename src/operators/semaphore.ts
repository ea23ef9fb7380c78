/** A wait queue, and the two locks that are made of it: a mutex, and the semaphore of job slots. */
import { finalize, mergeMap, Observable } from 'rxjs'

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

/** The share of slots and of turns that some work has while other work is ready, to which it gives way. */
export interface YieldingShare {
  /** True if it may take the next turn although other work is ready. */
  mayGo(): boolean
  /** A turn was taken, by work that yields or by other work. */
  taken(key: number, yields: boolean): void
  /** The work has left its slot. */
  left(key: number): void
  /** Number of slots that work that yields has. */
  open(): number
}

/** One turn of four. */
const othersBetween = 3

/** Work that yields has at most a quarter of the slots, at least one, and a quarter of the turns. */
const createYieldingShare = (slots: number): YieldingShare => {
  const keys = new Set<number>()
  let others = othersBetween
  return {
    mayGo: () => keys.size < Math.max(1, Math.floor(slots / 4)) && others >= othersBetween,
    taken: (key, yields) => {
      if (yields) keys.add(key)
      others = yields ? 0 : others + 1
    },
    left: key => {
      keys.delete(key)
    },
    open: () => keys.size,
  }
}

/** The right to have one job open at the provider, from its create on. */
export interface Slot {
  /** Gives the slot back: the job has ended at the provider, or was certainly not created. Idempotent. */
  release(): void
}

/** Counts the open jobs of the account, ours and other people's, and decides which create may go next. */
export interface SlotSemaphore {
  /**
   * Emits one slot as soon as fewer than `capacity` jobs are open, and completes. The slot counts as open from then on,
   * while the create is under way too, and the subscriber has to release it. Subscribers are served in the order of
   * subscription. Unsubscribing while waiting leaves the queue.
   */
  enter(): Observable<Slot>
  /** Takes a slot at once for a job that is open already (a resumed one), even above the capacity. */
  adopt(): Slot
  /** Sets how many jobs of other people are open, as last seen. A number above the capacity only stops new jobs. */
  foreign(open: number): void
  readonly capacity: number
  /** Number of slots that are taken, by creates under way and by open jobs of ours. */
  ownOpen(): number
  /** Number of other people's open jobs, as last set. */
  foreignOpen(): number
  open(): { readonly own: number; readonly foreign: number; readonly searching: number }
  /** The share of searches for bad devices, which give way to other jobs. `searching` counts their slots. */
  readonly searches: YieldingShare
  /** Number of subscribers that wait for a slot. */
  waiting(): number
}

/** `capacity` is the number of jobs that may be open at once in the account. */
export const createSlotSemaphore = ({ capacity }: { readonly capacity: number }): SlotSemaphore => {
  let own = 0
  let others = 0
  const searches = createYieldingShare(capacity)
  const pump = createPump(() => queue.admitFirst(() => (own + others < capacity ? take() : null)))
  const queue = createWaitQueue<Slot>(pump)

  const take = (): Slot => {
    let open = true
    own += 1
    return {
      release: () => {
        if (!open) return
        open = false
        own -= 1
        pump()
      },
    }
  }

  return {
    enter: () => queue.enqueue$,
    adopt: take,
    foreign: open => {
      others = open
      pump()
    },
    capacity,
    open: () => ({ own, foreign: others, searching: searches.open() }),
    searches,
    ownOpen: () => own,
    foreignOpen: () => others,
    waiting: () => queue.size(),
  }
}

/** Works on sources of any type, which all wait in one queue. */
export type Mutex = <T>(source: Observable<T>) => Observable<T>

/**
 * Lets one source run at a time. Sources subscribed through the mutex run one after the other, in the order of
 * subscription. The next one starts when the one under way completes, fails or is unsubscribed. An error reaches only
 * the subscriber of its own source.
 */
export const createMutex = (): Mutex => {
  let busy = false
  const pump = createPump(() => queue.admitFirst(acquire))
  const queue = createWaitQueue<'acquired'>(pump)

  const acquire = (): 'acquired' | null => {
    if (busy) return null
    busy = true
    return 'acquired'
  }
  const release = (): void => {
    busy = false
    pump()
  }

  return source => queue.enqueue$.pipe(mergeMap(() => source.pipe(finalize(release))))
}
