import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds that never go back: a lease must not last longer because somebody set the clock. */
export const nowMs = (): number => performance.now()

/** Resolves after `ms`, or at once when the signal is aborted. */
export const pauseMs = async (ms: number, signal: AbortSignal): Promise<void> => {
  try {
    await sleep(Math.max(0, ms), undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
