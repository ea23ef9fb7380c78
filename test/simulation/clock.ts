/**
 * The driven clock. rxjs's timers and its idea of now run on it, so the service runs unchanged in virtual time. The clock
 * knows the owner of each timer: the timers of a killed process are dropped, and those of a frozen process fire once
 * it is woken.
 */
import { createTimerHeap, type Due } from '../support/timer-heap'
import { runRxjsOn, timerMs } from '../support/virtual-clock'

interface Timer extends Due {
  readonly owner: Owner
  readonly act: () => void
  dueAt: number
  tie: number
  isCancelled: boolean
}

/** The process that code runs for: one of the service, or the world outside. */
export interface Owner {
  readonly name: string
  state: 'alive' | 'frozen' | 'dead'
  /** Timers that came due while it was frozen. */
  readonly parked: Timer[]
}

export interface Clock {
  /** The owner of all that is no process of ours: provider, broker, database, producers. It is never frozen. */
  readonly world: Owner
  /** The virtual instant, ms since 1970. */
  now(): number
  /** The owner whose code runs now. */
  current(): Owner
  /** Runs `act` as `owner`: now if it is alive, once it is woken if it is frozen, never if it is dead. */
  as(owner: Owner, act: () => void): void
  /** Runs `act` as `owner` after `ms`. */
  after(owner: Owner, ms: number, act: () => void): void
  kill(owner: Owner): void
  freeze(owner: Owner): void
  wake(owner: Owner): void
  /** Goes on to the next timer and fires it; false if there is none. An error of the timer is thrown. */
  step(): boolean
}

export interface ClockOptions {
  readonly startAt: number
  /** Orders the timers that are due at the same instant, since nothing may depend on their order. */
  readonly random: () => number
}

/** Makes rxjs run on a new clock. The next call makes it run on another. */
export const driveTime = ({ startAt, random }: ClockOptions): Clock => {
  const heap = createTimerHeap<Timer>()
  const world: Owner = { name: 'world', state: 'alive', parked: [] }
  let nowMs = startAt
  let owner = world

  const start = (of: Owner, ms: number, act: () => void): Timer => {
    const timer: Timer = { owner: of, act, dueAt: nowMs + timerMs(ms), tie: random(), isCancelled: false }
    heap.push(timer)
    return timer
  }

  const runAs = (next: Owner, act: () => void): void => {
    const before = owner
    owner = next
    try {
      act()
    } finally {
      owner = before
    }
  }
  const fire = (timer: Timer): void => {
    if (timer.isCancelled || timer.owner.state === 'dead') return
    if (timer.owner.state === 'frozen') timer.owner.parked.push(timer)
    else runAs(timer.owner, timer.act)
  }

  runRxjsOn({
    now: () => nowMs,
    after: (ms, act) => {
      const timer = start(owner, ms, act)
      return () => {
        timer.isCancelled = true
      }
    },
  })

  return {
    world,
    now: () => nowMs,
    current: () => owner,
    as: (who, act) => {
      if (who.state === 'alive') runAs(who, act)
      else if (who.state === 'frozen')
        who.parked.push({ owner: who, act, dueAt: nowMs, tie: 0, isCancelled: false })
    },
    after: (who, ms, act) => {
      start(who, ms, act)
    },
    kill: who => {
      who.state = 'dead'
      who.parked.length = 0
    },
    freeze: who => {
      if (who.state === 'alive') who.state = 'frozen'
    },
    wake: who => {
      if (who.state !== 'frozen') return
      who.state = 'alive'
      for (const timer of who.parked.splice(0)) {
        // They fire in the order in which they came due, before anything else that is due now.
        timer.dueAt = nowMs
        timer.tie = -1
        heap.push(timer)
      }
    },
    step: () => {
      const timer = heap.pop()
      if (timer === null) return false
      nowMs = Math.max(nowMs, timer.dueAt)
      fire(timer)
      return true
    },
  }
}
