import { setTimeout as pause } from 'node:timers/promises'
import type { Deployment } from '../support/deployment'

type Counts = Readonly<Record<string, number>>

export interface Progress {
  /** Resolves with true when this many moves and rejections have their final outcome and all is published, with false
   *  when nothing has changed for too long. */
  finished(expected: number): Promise<boolean>
  /** The longest time in which nothing changed, ms. */
  readonly longestPauseMs: number
  readonly worstGap: number
  readonly last: Counts
  stop(): void
}

const everyMs = 250

/**
 * Counts and the size of the outbox, taken together: counts with an older size of the outbox would look finished. null:
 * the database is away.
 */
export const lookAt = async (
  deployment: Pick<Deployment, 'conservation' | 'unpublished'>,
): Promise<{ readonly counts: Counts; readonly unpublished: number } | null> => {
  try {
    // The counts are asked first: what has its outcome then is in the outbox, or published, when that is asked.
    return { counts: await deployment.conservation(), unpublished: await deployment.unpublished() }
  } catch {
    // So it is before the first migration, and while the database is down.
    return null
  }
}

/** Watches the database during a run: how long nothing changes, and whether conservation holds at every moment. */
export const watchProgress = (
  deployment: Deployment,
  patienceMs: number,
  say: (text: string) => void,
): Progress => {
  let isStopped = false
  let last: Counts = {}
  let [longestPauseMs, worstGap, changedAt, saidAt] = [0, 0, performance.now(), performance.now()]
  let unpublished = Number.NaN
  let before = ''

  const look = async (): Promise<void> => {
    const seen = await lookAt(deployment)
    if (seen === null) return
    last = seen.counts
    unpublished = seen.unpublished
    worstGap = Math.max(worstGap, Math.abs(last.gap ?? 0))
    const now = JSON.stringify([last, unpublished])
    if (now === before) return
    before = now
    changedAt = performance.now()
  }
  const watching = (async () => {
    while (!isStopped) {
      await look()
      longestPauseMs = Math.max(longestPauseMs, performance.now() - changedAt)
      if (performance.now() - saidAt > 10_000) {
        saidAt = performance.now()
        say(`${JSON.stringify(last)}, outbox ${unpublished}`)
      }
      await pause(everyMs)
    }
  })()

  const isFinished = (expected: number): boolean => {
    const { accepted = 0, pending = 0, in_flight = 0, retrying = 0, held = 0, duplicate = 0 } = last
    return accepted - duplicate >= expected && pending + in_flight + retrying + held + unpublished === 0
  }
  return {
    finished: async expected => {
      while (!isFinished(expected)) {
        if (performance.now() - changedAt > patienceMs) return false
        await pause(everyMs)
      }
      isStopped = true
      await watching
      return true
    },
    get longestPauseMs() {
      return longestPauseMs
    },
    get worstGap() {
      return worstGap
    },
    get last() {
      return last
    },
    stop: () => {
      isStopped = true
    },
  }
}
