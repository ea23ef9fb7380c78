import { asyncScheduler, type Observable } from 'rxjs'
import { type RunHelpers, TestScheduler } from 'rxjs/testing'

/** Runs `body`, and then all that it has set off, in virtual time. `expectObservable` compares with jest's toEqual. */
export const virtually = (body: (helpers: RunHelpers) => void): void => {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
  scheduler.run(body)
}

/** Virtual ms since the start of the run. */
export const now = (): number => asyncScheduler.now()

/** Calls `then` at a virtual instant, in ms since the start of the run. */
export const at = (instantMs: number, then: () => void): void => {
  asyncScheduler.schedule(then, instantMs - now())
}

export type Seen = readonly [atMs: number, kind: 'next' | 'error' | 'complete', value?: unknown]

/** Subscribes, and keeps each notification with its instant. */
export const record = (source: Observable<unknown>): { readonly seen: Seen[]; stop(): void } => {
  const seen: Seen[] = []
  const subscription = source.subscribe({
    next: value => seen.push([now(), 'next', value]),
    error: (error: unknown) => seen.push([now(), 'error', error]),
    complete: () => seen.push([now(), 'complete']),
  })
  return { seen, stop: () => subscription.unsubscribe() }
}

/** A sequence of numbers in [0, 1), the same for the same seed. */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    // A linear congruence of full period, whose high bits are good enough for jitter.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
