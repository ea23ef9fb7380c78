/**
 * The network between a process and the world outside. A call that was made is carried out whatever becomes of its
 * caller. Its answer reaches a living process at once, a frozen one once it is woken, and a dead one never.
 */
import { Observable } from 'rxjs'
import type { Clock, Owner } from './clock'

export interface Crossing {
  /** Time on the way there and on the way back, ms. */
  readonly thereMs: number
  readonly backMs: number
  /** The call fails with it before it arrives, so nothing is done. */
  readonly refused?: Error
  /** The work is done, but the caller receives this error instead of the answer. */
  readonly answerLost?: Error
  /** Called when the work is done, before the answer leaves. */
  readonly done?: () => void
}

export interface Network {
  /** `work` is subscribed in the world outside and emits at most one value. */
  call<T>(caller: Owner, work: () => Observable<T>, crossing: Crossing): Observable<T>
  /** What the world outside tells a process, each value after `delayMs()`; null: the value is lost on the way. */
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
        let hasAnswer = false
        const answerWith = (tell: () => void): void => {
          if (hasAnswer) return
          hasAnswer = true
          done?.()
          answer(() => {
            if (answerLost !== undefined) subscriber.error(answerLost)
            else {
              tell()
              subscriber.complete()
            }
          })
        }
        work().subscribe({
          next: value => answerWith(() => subscriber.next(value)),
          complete: () => answerWith(() => undefined),
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
