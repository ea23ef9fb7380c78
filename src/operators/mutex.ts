import { finalize, mergeMap, type Observable } from 'rxjs'
import { createPump, createWaitQueue } from './wait-queue'

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
