/**
 * Between a process and what is outside. A call, once made, is carried out whatever becomes of its caller, and its
 * answer reaches a process that is alive: a dead one gets none, a frozen one when it is woken.
 */
import { Observable } from 'rxjs'
import type { Clock, Owner } from './clock'

export interface Crossing {
  /** ms on the way there and back. */
  readonly thereMs: number
  readonly backMs: number
  /** Fails before it gets there: nothing is done. */
  readonly refused?: Error
  /** Is done, and this is all the caller hears. */
  readonly answerLost?: Error
  /** Called when the work has been done, before the answer goes. */
  readonly done?: () => void
}

export interface Network {
  /** `work` is subscribed outside and gives at most one value. */
  call<T>(caller: Owner, work: () => Observable<T>, crossing: Crossing): Observable<T>
  /** What the outside tells a process, each value after `delayMs()`; null: lost on the way. */
  listen<T>(listener: Owner, source: Observable<T>, delayMs: () => number | null): Observable<T>
}

export const createNetwork = (clock: Clock): Network => ({
  call: (caller, work, { thereMs, backMs, refused, answerLost, done }) =>
    new Observable(subscriber => {
      if (caller.state === 'dead') return
      const answer = (tell: () => void): void =>
        clock.after(clock.world, backMs, () => clock.as(caller, tell))
      clock.after(clock.world, thereMs, () => {
        if (refused !== undefined) {
          answer(() => subscriber.error(refused))
          return
        }
        const fail = (error: unknown): void => {
          done?.()
          answer(() => subscriber.error(error))
        }
        work().subscribe({
          next: value => {
            done?.()
            answer(() => {
              if (answerLost !== undefined) subscriber.error(answerLost)
              else {
                subscriber.next(value)
                subscriber.complete()
              }
            })
          },
          error: fail,
        })
      })
    }),
  listen: (listener, source, delayMs) =>
    new Observable(subscriber => {
      let heard: { unsubscribe(): void } | null = null
      clock.as(clock.world, () => {
        heard = source.subscribe(value => {
          const ms = listener.state === 'dead' ? null : delayMs()
          if (ms !== null)
            clock.after(clock.world, ms, () => clock.as(listener, () => subscriber.next(value)))
        })
      })
      return () => heard?.unsubscribe()
    }),
})
