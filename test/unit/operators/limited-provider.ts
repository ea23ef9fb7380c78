import { Observable, timer } from 'rxjs'
import {
  createRateLimiter,
  type RateLimiter,
  type RateLimiterOptions,
} from '../../../src/operators/rate-limit'
import { now } from './virtual-time'

export type Op = 'create' | 'detail' | 'list'

export const windowMs = 1_000
export const deadlineMs = 20_000
export const priority: readonly Op[] = ['create', 'detail', 'list']

/** A limiter of two calls a second together, like the provider's. `options` override. */
export const limiterOf = (options: Partial<RateLimiterOptions<Op>> = {}): RateLimiter<Op> =>
  createRateLimiter<Op>({
    shared: 2,
    perOperation: { create: 2, detail: 5, list: 5 },
    priority,
    windowMs,
    marginMs: 0,
    deadlineMs,
    ...options,
  })

export interface Arrival {
  readonly op: Op
  readonly at: number
}

/** Counts the calls that reach it. A caller that leaves does not stop a request that is on the wire. */
export const createProvider = (random: () => number, maxTripMs = 400) => {
  const arrivals: Arrival[] = []
  const call = (op: Op, ends: 'value' | 'error' = 'value') =>
    new Observable<Op>(subscriber => {
      const thereMs = random() * maxTripMs
      const backMs = random() * maxTripMs
      timer(thereMs).subscribe(() => arrivals.push({ op, at: now() }))
      timer(thereMs + backMs).subscribe(() => {
        if (ends === 'error') subscriber.error(new Error('503'))
        subscriber.next(op)
        subscriber.complete()
      })
    })
  return { arrivals, call }
}

/** The most arrivals in any window, which excludes its end. */
export const peak = (arrivals: readonly Arrival[], op?: Op): number => {
  const times = arrivals
    .filter(arrival => op === undefined || arrival.op === op)
    .map(arrival => arrival.at)
    .sort((a, b) => a - b)
  return Math.max(0, ...times.map(end => times.filter(time => time > end - windowMs && time <= end).length))
}

/** What `inUse` gives when every token has come back. */
export const idle = {
  shared: 0,
  perOperation: { create: 0, detail: 0, list: 0 },
  waiting: { create: 0, detail: 0, list: 0 },
}
