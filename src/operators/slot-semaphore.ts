import type { Observable } from 'rxjs'
import { createPump, createWaitQueue } from './wait-queue'

/** The right to have one job open, from the create on. */
export interface Slot {
  /** The job has ended at the provider, or was certainly not created. Doing it again does nothing. */
  release(): void
}

/** How many jobs of the account are open, ours and other people's, and who may create the next. */
export interface SlotSemaphore {
  /**
   * Emits one slot as soon as fewer than `capacity` jobs are open, and completes. The slot counts as open from that
   * moment, the create under way included, and is the subscriber's to release. First come first served;
   * unsubscribing while waiting leaves the line.
   */
  enter(): Observable<Slot>
  /** Takes a slot at once for a job that is open already (resumed), capacity or not. */
  adopt(): Slot
  /** Sets how many jobs of others are open, as last seen. Above the capacity it only stops new jobs. */
  foreign(open: number): void
  readonly capacity: number
  /** Slots taken: creates under way and open jobs of ours. */
  ownOpen(): number
  foreignOpen(): number
  /** Creates waiting for a slot. */
  waiting(): number
}

/** `capacity`: jobs that may be open at once in the account. */
export const createSlotSemaphore = ({ capacity }: { readonly capacity: number }): SlotSemaphore => {
  let own = 0
  let others = 0
  const pump = createPump(() => line.admitFirst(() => (own + others < capacity ? take() : null)))
  const line = createWaitQueue<Slot>(pump)

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
    enter: () => line.join$,
    adopt: take,
    foreign: open => {
      others = open
      pump()
    },
    capacity,
    ownOpen: () => own,
    foreignOpen: () => others,
    waiting: () => line.size(),
  }
}
