import type { Owner } from './clock'

export interface Timer {
  readonly owner: Owner
  readonly act: () => void
  /** null: fires once. */
  readonly everyMs: number | null
  dueAt: number
  /** Of those due at the same instant the lowest goes first. */
  tie: number
  cancelled: boolean
}

interface Entry {
  readonly timer: Timer
  readonly dueAt: number
  readonly tie: number
  readonly serial: number
}

const isBefore = (a: Entry, b: Entry): boolean => {
  if (a.dueAt !== b.dueAt) return a.dueAt < b.dueAt
  return a.tie !== b.tie ? a.tie < b.tie : a.serial < b.serial
}

export interface TimerHeap {
  push(timer: Timer): void
  /** null: none is left. */
  pop(): Timer | null
}

/** A binary heap of timers. */
export const createTimerHeap = (): TimerHeap => {
  const entries: Entry[] = []
  let serial = 0

  const rise = (entry: Entry): void => {
    let at = entries.length
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = entries[above]
      if (parent === undefined || !isBefore(entry, parent)) break
      entries[at] = parent
      at = above
    }
    entries[at] = entry
  }

  const sink = (entry: Entry): void => {
    let at = 0
    for (;;) {
      const left = entries[2 * at + 1]
      const right = entries[2 * at + 2]
      if (left === undefined) break
      const isRight = right !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (!isBefore(child, entry)) break
      entries[at] = child
      at = 2 * at + (isRight ? 2 : 1)
    }
    entries[at] = entry
  }

  return {
    push: timer => {
      serial += 1
      rise({ timer, dueAt: timer.dueAt, tie: timer.tie, serial })
    },
    pop: () => {
      const first = entries[0]
      const last = entries.pop()
      if (first === undefined || last === undefined) return null
      if (entries.length > 0) sink(last)
      return first.timer
    },
  }
}
