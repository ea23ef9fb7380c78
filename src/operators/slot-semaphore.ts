import type { Observable } from 'rxjs'
import { createPump, createWaitQueue } from './wait-queue'

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
  /** Number of subscribers that wait for a slot. */
  waiting(): number
}

/** `capacity` is the number of jobs that may be open at once in the account. */
export const createSlotSemaphore = ({ capacity }: { readonly capacity: number }): SlotSemaphore => {
  let own = 0
  let others = 0
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
    ownOpen: () => own,
    foreignOpen: () => others,
    waiting: () => queue.size(),
  }
}
