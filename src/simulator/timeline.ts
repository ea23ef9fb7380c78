interface Happening {
  readonly at: number
  readonly run: (at: number) => void
}

/** What happens by itself at some instant. Nothing runs on a timer: whoever looks, first lets the past happen. */
export interface Timeline {
  /** `run` is called with `at`, in the order of the instants. */
  plan(at: number, run: (at: number) => void): void
  /** Lets everything up to and including `now` happen, in order. */
  advance(now: number): void
}

export const createTimeline = (): Timeline => {
  const planned: Happening[] = []
  return {
    plan(at, run) {
      let position = planned.length
      while (position > 0 && (planned[position - 1]?.at ?? 0) > at) position--
      planned.splice(position, 0, { at, run })
    },
    advance(now) {
      for (let next = planned[0]; next !== undefined && next.at <= now; next = planned[0]) {
        planned.shift()
        next.run(next.at)
      }
    },
  }
}
