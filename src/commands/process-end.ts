/** How a command ends: at a signal, with its service stopped in time, and with its output written. */
import type { Writable } from 'node:stream'
import type { Running } from '../app/main'

type StopSignal = 'SIGINT' | 'SIGTERM'

/** npm hands Ctrl-C on to the process that it started, which gets it from the terminal too: two within this time, ms. */
const echoMs = 1_000

/** The service has this long to stop, ms. Every step is crash-safe, so nothing is lost when it takes longer. */
const stopWithinMs = 8_000

/** True once the command is done and only its output is still being written. */
let isDone = false

/** Tells `firstSignal` that its command is done, so that the next signal ends the process. */
export const endAtNextSignal = (): void => {
  isDone = true
}

/**
 * Resolves at the first SIGINT or SIGTERM, which then no longer end the process by themselves. A signal that comes more
 * than a second later means that the user does not want to wait: it calls `atOnce`, or ends the process if there is none.
 */
export const firstSignal = (atOnce?: () => void): Promise<StopSignal> =>
  new Promise(resolve => {
    let firstAt: number | null = null
    const onSignal = (name: StopSignal): void => {
      if (firstAt === null && !isDone) {
        firstAt = performance.now()
        resolve(name)
        return
      }
      if (firstAt !== null && performance.now() - firstAt <= echoMs) return
      // A command that has had its signal ends in its own way, also while only its output is left.
      if (atOnce !== undefined && firstAt !== null) {
        atOnce()
        return
      }
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
      process.kill(process.pid, name)
    }
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  })

/** Stops the service. `late`: it was not through in time, and goes on with the rest at its next start. */
export const stopWithin = (running: Running): Promise<'drained' | 'late'> => {
  const deadline = new Promise<'late'>(resolve => {
    setTimeout(() => resolve('late'), stopWithinMs).unref()
  })
  return Promise.race([running.stop().then(() => 'drained' as const), deadline])
}

/**
 * Resolves when all that was written to `stream` has left this process, or can no longer leave it. With `withinMs` it is
 * waited for that long at most, as a reader may hang.
 */
export const writtenOut = async (stream: Writable, withinMs: number | null = null): Promise<void> => {
  if (stream.writableLength === 0) return
  await new Promise<void>(resolve => {
    stream.write('', () => resolve())
    if (withinMs !== null) setTimeout(resolve, withinMs)
  })
}
