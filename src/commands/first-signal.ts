/** Resolves at the first SIGINT or SIGTERM, which then no longer end the process by themselves. */
export const firstSignal = (): Promise<'SIGINT' | 'SIGTERM'> =>
  new Promise(resolve => {
    process.once('SIGINT', () => resolve('SIGINT'))
    process.once('SIGTERM', () => resolve('SIGTERM'))
  })
