/** An answer serves others for this many times the time that it took to make: readers use a twentieth of the time at most. */
const keepFactor = 20
/** But for no longer than this, ms. */
const keepMostMs = 500

/**
 * Makes one answer for all who ask while it is made, and for a moment after. A failure is told to those who wait for it, and
 * the next asks anew.
 */
export const shareBriefly = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let shared: Promise<T> | null = null
  const drop = (): void => {
    shared = null
  }
  return () => {
    if (shared === null) {
      const startedAt = performance.now()
      shared = make()
      shared.then(() => {
        const keepMs = Math.min(keepMostMs, (performance.now() - startedAt) * keepFactor)
        setTimeout(drop, keepMs).unref()
      }, drop)
    }
    return shared
  }
}
