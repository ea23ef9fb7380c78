import type { Running } from '../main'

/** Every step is crash-safe, so nothing is lost by not waiting longer, ms. */
const stopWithinMs = 8_000

/** Stops the service and says whether it was through in time; the rest is taken up again at the next start. */
export const stopWithin = (running: Running): Promise<'drained' | 'late'> => {
  const deadline = new Promise<'late'>(resolve => {
    setTimeout(() => resolve('late'), stopWithinMs).unref()
  })
  return Promise.race([running.stop().then(() => 'drained' as const), deadline])
}
