/**
 * Waits for `work`, at most `limitMs`. Never rejects: 'done', 'failed' or 'late'. For closing things, where there is
 * nothing left to be done about an error.
 */
export const withinMs = async (
  work: Promise<unknown>,
  limitMs: number,
): Promise<'done' | 'failed' | 'late'> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(() => resolve('late'), limitMs)
  })
  const ended = work.then(
    () => 'done' as const,
    () => 'failed' as const,
  )
  try {
    return await Promise.race([ended, late])
  } finally {
    clearTimeout(timer)
  }
}
