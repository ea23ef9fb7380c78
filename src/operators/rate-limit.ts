import { finalize, mergeMap, type Observable, tap, timer } from 'rxjs'
import { createPump, createWaitQueue, type WaitQueue } from './semaphore'

export interface RateLimiterOptions<Op extends string> {
  /** Calls of all operations together in any window. 0: there is no such cap. */
  readonly shared: number
  /** Calls of each operation in any window. 0: there is no such cap. */
  readonly perOperation: Readonly<Record<Op, number>>
  /** Every operation once, in the order in which waiting calls are admitted. */
  readonly priority: readonly Op[]
  /**
   * Operations that may wait. They leave one shared token to the others, so that these need not wait until a token
   * comes back. If there is only one shared token, they may take it.
   */
  readonly yielding?: readonly Op[]
  /**
   * While a call of a yielding operation waits, this many calls of others go first. The next token is then for the one
   * that waits, whatever its priority. Without it the others may go first without end.
   */
  readonly passedOverAtMost?: number
  /** Length of the provider's sliding window, ms. */
  readonly windowMs: number
  /** Time added to the window because timers may fire early, ms. */
  readonly marginMs: number
  /** Time after which a request that was sent cannot arrive any more, ms. The call keeps this deadline itself. */
  readonly deadlineMs: number
}

export interface RateLimiterUse<Op extends string> {
  /** Tokens in use, by calls on the wire and by calls that were answered less than a window ago. */
  readonly shared: number
  readonly perOperation: Readonly<Record<Op, number>>
  /** Calls that wait for a token. */
  readonly waiting: Readonly<Record<Op, number>>
}

export interface RateLimiter<Op extends string> {
  /**
   * Subscribes to the call once it has a token of the operation and a shared one. The call makes one request. Its
   * completion, its error, or being unsubscribed after a value counts as the answer.
   */
  limit(op: Op): <T>(call: Observable<T>) => Observable<T>
  /**
   * Lets no call of the operation start for `ms`. Calls on the wire go on. Of overlapping pauses the last end counts.
   */
  pause(op: Op | 'all', ms: number): void
  /** Number of calls that may be on the wire, including those whose subscriber has left. */
  inFlight(): number
  inUse(): RateLimiterUse<Op>
}

interface Token {
  /** The call is off the wire. The token comes back after one window. */
  answered(): void
  /**
   * The subscriber has left but the request may still arrive. The token comes back after the deadline and one window.
   */
  abandoned(): void
}

/**
 * Keeps a quota that the provider counts over a sliding window where requests arrive. A request arrives at some time
 * between its sending and its answer. So each token comes back one window after the answer to its call or after its
 * deadline, and any two arrivals with the same token are a window apart whatever the jitter. Evenly spaced sending
 * would break the quota with the slightest jitter.
 *
 * A waiting call of an operation that has used up its own tokens does not hold up the others. Throws if an operation
 * has no place in `priority`.
 */
export const createRateLimiter = <Op extends string>(options: RateLimiterOptions<Op>): RateLimiter<Op> => {
  const { priority, deadlineMs } = options
  for (const op of Object.keys(options.perOperation))
    if (!priority.some(each => each === op)) throw new Error(`operation ${op} has no place in the priority`)
  const holdMs = options.windowMs + options.marginMs
  const byOperation = <V>(value: (op: Op) => V): Record<Op, V> =>
    Object.fromEntries(priority.map(op => [op, value(op)])) as Record<Op, V>

  const used = byOperation(() => 0)
  // Pauses that are not over yet. They are counted and not compared with a clock, because a timer may fire early.
  const pauses = byOperation(() => 0)
  let usedShared = 0
  let onWire = 0

  const { yielding = [], passedOverAtMost = Number.POSITIVE_INFINITY } = options
  /** Calls of others that were admitted since a call of this yielding operation began to wait. */
  const passedOver = byOperation(() => 0)
  const isDue = (op: Op): boolean => yielding.includes(op) && passedOver[op] >= passedOverAtMost

  const hasRoom = (cap: number, inUse: number): boolean => cap === 0 || inUse < cap
  const sharedCap = (op: Op): number =>
    options.shared - (yielding.includes(op) && options.shared > 1 && !isDue(op) ? 1 : 0)
  const mayStart = (op: Op): boolean =>
    pauses[op] === 0 && hasRoom(sharedCap(op), usedShared) && hasRoom(options.perOperation[op], used[op])

  const admit = (op: Op): boolean => queues[op].admitFirst(() => (mayStart(op) ? take(op) : null))
  const pump = createPump(() => yielding.some(op => isDue(op) && admit(op)) || priority.some(admit))
  const queues: Record<Op, WaitQueue<Token>> = byOperation(() => createWaitQueue<Token>(pump))

  const countPassing = (op: Op): void => {
    if (yielding.includes(op)) passedOver[op] = 0
    else for (const each of yielding) if (queues[each].size() > 0) passedOver[each] += 1
  }

  const take = (op: Op): Token => {
    let ended = false
    countPassing(op)
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
      // The deadline counts from now. The call may have sent its request late, but not later than now.
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
    limit: op => call => queues[op].enqueue$.pipe(mergeMap(token => run(token, call))),
    pause,
    inFlight: () => onWire,
    inUse: () => ({
      shared: usedShared,
      perOperation: { ...used },
      waiting: byOperation(op => queues[op].size()),
    }),
  }
}
