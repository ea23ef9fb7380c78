type Ending = 'SIGINT' | 'SIGTERM'

/** Ctrl-C reaches a process twice where npm, which started it, hands its own on. */
const echoMs = 1_000

/**
 * Resolves at the first SIGINT or SIGTERM, which then no longer end the process by themselves. One that comes more
 * than a second later does: whoever asks again does not want to wait.
 */
export const firstSignal = (): Promise<Ending> =>
  new Promise(resolve => {
    let firstAt: number | null = null
    const onSignal = (name: Ending): void => {
      if (firstAt === null) {
        firstAt = performance.now()
        resolve(name)
      } else if (performance.now() - firstAt > echoMs) {
        process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
        process.kill(process.pid, name)
      }
    }
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  })
