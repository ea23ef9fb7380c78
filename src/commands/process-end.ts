import type { Writable } from 'node:stream'
import type { Running } from '../app/main'

type Ending = 'SIGINT' | 'SIGTERM'

/** Ctrl-C reaches a process twice where npm, which started it, hands its own on. */
const echoMs = 1_000

/**
 * Resolves at the first SIGINT or SIGTERM, which then no longer end the process by themselves. Whoever asks again more
 * than a second later does not want to wait: `atOnce` is called, or without it the signal ends the process.
 */
export const firstSignal = (atOnce?: () => void): Promise<Ending> =>
  new Promise(resolve => {
    let firstAt: number | null = null
    const onSignal = (name: Ending): void => {
      if (firstAt === null) {
        firstAt = performance.now()
        resolve(name)
      } else if (performance.now() - firstAt > echoMs) {
        if (atOnce !== undefined) atOnce()
        else {
          process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
          process.kill(process.pid, name)
        }
      }
    }
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  })

/** Every step is crash-safe, so nothing is lost by not waiting longer, ms. */
const stopWithinMs = 8_000

/** Stops the service and says whether it was through in time; the rest is taken up again at the next start. */
export const stopWithin = (running: Running): Promise<'drained' | 'late'> => {
  const deadline = new Promise<'late'>(resolve => {
    setTimeout(() => resolve('late'), stopWithinMs).unref()
  })
  return Promise.race([running.stop().then(() => 'drained' as const), deadline])
}

/** Resolves when all that was written to `stream` so far has left this process, or never will. */
export const writtenOut = async (stream: Writable): Promise<void> => {
  if (stream.writableLength > 0) await new Promise<void>(resolve => stream.write('', () => resolve()))
}
