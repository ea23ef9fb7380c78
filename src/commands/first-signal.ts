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
