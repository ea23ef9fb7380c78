/** A binary heap of timers: the one that is due first comes out first. */
export interface Due {
  /** The instant at which it is due, ms. */
  readonly dueAt: number
  /** Of those due at the same instant the lowest goes first. */
  readonly tie: number
}

interface Entry<T extends Due> {
  readonly timer: T
  readonly dueAt: number
  readonly tie: number
  readonly serial: number
}

const isBefore = (a: Entry<Due>, b: Entry<Due>): boolean => {
  if (a.dueAt !== b.dueAt) return a.dueAt < b.dueAt
  return a.tie !== b.tie ? a.tie < b.tie : a.serial < b.serial
}

export interface TimerHeap<T extends Due> {
  push(timer: T): void
  /** null: none is left. */
  pop(): T | null
  /** The instant of the next one; null: none is left. */
  nextAt(): number | null
}

export const createTimerHeap = <T extends Due>(): TimerHeap<T> => {
  const entries: Entry<T>[] = []
  let serial = 0

  const rise = (entry: Entry<T>): void => {
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

  const sink = (entry: Entry<T>): void => {
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
    nextAt: () => entries[0]?.dueAt ?? null,
  }
}
