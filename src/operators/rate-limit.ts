import { finalize, mergeMap, type Observable, tap, timer } from 'rxjs'
import { createPump, createWaitQueue, type WaitQueue } from './wait-queue'

export interface RateLimiterOptions<Op extends string> {
  /** Calls of all operations together in any window; 0: no such cap. */
  readonly shared: number
  /** Calls of each operation in any window; 0: no such cap. */
  readonly perOperation: Readonly<Record<Op, number>>
  /** Every operation, the one that goes first first. */
  readonly priority: readonly Op[]
  /**
   * Operations that may wait: they leave one shared token to the others (while there is more than one), so that
   * these need not wait for a token's return.
   */
  readonly yielding?: readonly Op[]
  /** Length of the provider's sliding window, ms. */
  readonly windowMs: number
  /** Added to the window, for timers that fire early, ms. */
  readonly marginMs: number
  /** A request is surely off the wire so long after its sending, ms. The call keeps this deadline itself. */
  readonly deadlineMs: number
}

export interface RateLimiterUse<Op extends string> {
  /** Tokens out: calls on the wire, and those answered less than a window ago. */
  readonly shared: number
  readonly perOperation: Readonly<Record<Op, number>>
  /** Calls waiting for a token. */
  readonly waiting: Readonly<Record<Op, number>>
}

export interface RateLimiter<Op extends string> {
  /**
   * Subscribes to the call once it has a token of the operation and a shared one. The call is one request: its
   * completion, its error, or being unsubscribed after a value counts as its answer.
   */
  limit(op: Op): <T>(call: Observable<T>) => Observable<T>
  /** No call of it starts within the next `ms`; calls on the wire go on. Pauses overlap, the last end counts. */
  pause(op: Op | 'all', ms: number): void
  /** Calls that may be on the wire, those whose caller has gone included. */
  inFlight(): number
  inUse(): RateLimiterUse<Op>
}

interface Token {
  /** Is off the wire: back after one window. */
  answered(): void
  /** Nobody waits for the answer any longer, but the request may yet arrive: back a deadline and a window later. */
  abandoned(): void
}

/**
 * Keeps a quota that the provider counts over a sliding window at *its* end. A request arrives some time between its
 * sending and its answer; so each token comes back one window after its call's answer (or deadline), and any two
 * arrivals on the same token are a window apart whatever the jitter. Evenly spaced sending would not do.
 *
 * A waiting call of an operation that has used its own tokens up does not hold up the others.
 */
export const createRateLimiter = <Op extends string>(options: RateLimiterOptions<Op>): RateLimiter<Op> => {
  const { priority, deadlineMs } = options
  for (const op of Object.keys(options.perOperation))
    if (!priority.some(each => each === op)) throw new Error(`operation ${op} has no place in the priority`)
  const holdMs = options.windowMs + options.marginMs
  const byOperation = <V>(value: (op: Op) => V): Record<Op, V> =>
    Object.fromEntries(priority.map(op => [op, value(op)])) as Record<Op, V>

  const used = byOperation(() => 0)
  // Pauses not yet over. Counted, not compared with a clock: a timer that fires early must not be missed.
  const pauses = byOperation(() => 0)
  let usedShared = 0
  let onWire = 0

  const hasRoom = (cap: number, inUse: number): boolean => cap === 0 || inUse < cap
  const sharedCap = byOperation(op => {
    const leaves = options.yielding?.includes(op) && options.shared > 1 ? 1 : 0
    return options.shared - leaves
  })
  const mayStart = (op: Op): boolean =>
    pauses[op] === 0 && hasRoom(sharedCap[op], usedShared) && hasRoom(options.perOperation[op], used[op])

  const pump = createPump(() =>
    priority.some(op => lines[op].admitFirst(() => (mayStart(op) ? take(op) : null))),
  )
  const lines: Record<Op, WaitQueue<Token>> = byOperation(() => createWaitQueue<Token>(pump))

  const take = (op: Op): Token => {
    let ended = false
    used[op] += 1
    usedShared += 1
    onWire += 1

    const backInAWindow = (): void => {
      onWire -= 1
      timer(holdMs).subscribe(() => {
        used[op] -= 1
        usedShared -= 1
        pump()
      })
    }
    const endOnce = (then: () => void) => (): void => {
      if (ended) return
      ended = true
      then()
    }
    return {
      answered: endOnce(backInAWindow),
      // Counted from now: a call may do something else before it sends, and it has sent by now if it ever will.
      abandoned: endOnce(() => {
        timer(deadlineMs).subscribe(backInAWindow)
      }),
    }
  }

  const run = <T>(token: Token, call: Observable<T>): Observable<T> => {
    let hasValue = false
    return call.pipe(
      tap({
        next: () => {
          hasValue = true
        },
        error: token.answered,
        complete: token.answered,
      }),
      finalize(() => (hasValue ? token.answered() : token.abandoned())),
    )
  }

  const pause = (op: Op | 'all', ms: number): void => {
    const paused = op === 'all' ? priority : [op]
    for (const each of paused) pauses[each] += 1
    timer(ms).subscribe(() => {
      for (const each of paused) pauses[each] -= 1
      pump()
    })
  }

  return {
    limit: op => call => lines[op].join$.pipe(mergeMap(token => run(token, call))),
    pause,
    inFlight: () => onWire,
    inUse: () => ({
      shared: usedShared,
      perOperation: { ...used },
      waiting: byOperation(op => lines[op].size()),
    }),
  }
}
