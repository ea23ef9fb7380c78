import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds that never go back: for when to do something next. */
export const nowMs = (): number => performance.now()

/** An instant on both clocks of this machine. */
export interface Instant {
  readonly monotonicMs: number
  readonly wallMs: number
}

export const instant = (): Instant => ({ monotonicMs: nowMs(), wallMs: Date.now() })

/**
 * How long ago that was, by whichever clock says more: a lease must not last longer because somebody set the wall
 * clock back, nor because the machine was suspended, while the other one stands still.
 */
export const elapsedMs = (since: Instant): number =>
  Math.max(nowMs() - since.monotonicMs, Date.now() - since.wallMs)

/** Resolves after `ms`, or at once when the signal is aborted. */
export const pauseMs = async (ms: number, signal: AbortSignal): Promise<void> => {
  try {
    await sleep(Math.max(0, ms), undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
