/** Virtual time: a clock that passes over waiting, and what makes rxjs run on such a clock. */
import { dateTimestampProvider } from 'rxjs/internal/scheduler/dateTimestampProvider'
import { intervalProvider } from 'rxjs/internal/scheduler/intervalProvider'
import { timeoutProvider } from 'rxjs/internal/scheduler/timeoutProvider'
import { createTimerHeap, type Due } from './timer-heap'

export interface TimerClock {
  /** The present instant, ms. */
  now(): number
  /** Calls `act` once, `ms` from now; returns what takes that back. */
  after(ms: number, act: () => void): () => void
}

/**
 * Makes rxjs's timers and its idea of now run on `clock`, so that the code under test needs no scheduler arguments.
 * Returns what gives rxjs its own timers back.
 */
export const runRxjsOn = (clock: TimerClock): (() => void) => {
  const cancels = new Map<number, () => void>()
  let lastHandle = 0

  const start = (act: () => void, ms: number, isRepeated: boolean): number => {
    lastHandle += 1
    const handle = lastHandle
    const arm = (): void => {
      cancels.set(handle, clock.after(ms, fire))
    }
    const fire = (): void => {
      act()
      if (isRepeated && cancels.has(handle)) arm()
      else cancels.delete(handle)
    }
    arm()
    return handle
  }
  const cancel = (handle: unknown): void => {
    cancels.get(Number(handle))?.()
    cancels.delete(Number(handle))
  }

  intervalProvider.delegate = {
    setInterval: (handler, ms = 0) => start(handler, ms, true),
    clearInterval: cancel,
  }
  timeoutProvider.delegate = {
    setTimeout: (handler, ms = 0) => start(handler, ms, false),
    clearTimeout: cancel,
  }
  dateTimestampProvider.delegate = { now: clock.now }

  return () => {
    intervalProvider.delegate = undefined
    timeoutProvider.delegate = undefined
    dateTimestampProvider.delegate = undefined
  }
}

/** As Node has it: timers last whole milliseconds, and none is shorter than 1 ms. */
export const timerMs = (ms: number): number => Math.max(1, Math.round(ms))

export interface VirtualClock extends TimerClock {
  /**
   * Passes from timer to timer until `isOver`, until no timer is left, or until the instant `untilMs`. What a timer
   * throws is thrown.
   */
  run(untilMs: number, isOver: () => boolean): void
}

interface Timer extends Due {
  readonly act: () => void
  isCancelled: boolean
}

export interface VirtualClockOptions {
  /** The first instant, ms since 1970. Default: the start of 2026. */
  readonly startAt?: number
  /** Orders what is due at the same instant, since nothing may depend on that order. */
  readonly random: () => number
}

export const createVirtualClock = ({
  startAt = Date.UTC(2026, 0, 1),
  random,
}: VirtualClockOptions): VirtualClock => {
  const heap = createTimerHeap<Timer>()
  let nowMs = startAt
  return {
    now: () => nowMs,
    after: (ms, act) => {
      const timer: Timer = { act, dueAt: nowMs + timerMs(ms), tie: random(), isCancelled: false }
      heap.push(timer)
      return () => {
        timer.isCancelled = true
      }
    },
    run: (untilMs, isOver) => {
      while (!isOver()) {
        const nextAt = heap.nextAt()
        if (nextAt === null || nextAt > untilMs) return
        const timer = heap.pop()
        nowMs = nextAt
        if (timer !== null && !timer.isCancelled) timer.act()
      }
    },
  }
}
