import { finalize, mergeMap, type Observable } from 'rxjs'
import { createPump, createWaitQueue } from './wait-queue'

/** Works on sources of any type; they all share one line. */
export type Mutex = <T>(source: Observable<T>) => Observable<T>

/**
 * One at a time: sources subscribed through the mutex run one after the other, in the order of subscription.
 * The next goes as soon as the one under way completes, fails or is unsubscribed. An error reaches the source's
 * own subscriber only.
 */
export const createMutex = (): Mutex => {
  let busy = false
  const pump = createPump(() => line.admitFirst(enter))
  const line = createWaitQueue<'go'>(pump)

  const enter = (): 'go' | null => {
    if (busy) return null
    busy = true
    return 'go'
  }
  const leave = (): void => {
    busy = false
    pump()
  }

  return source => line.join$.pipe(mergeMap(() => source.pipe(finalize(leave))))
}
