import type { Pool } from 'pg'

/** A healthy server answers within milliseconds; whoever asks whether it does may give up earlier than a flow, ms. */
const withinMs = 3_000

/**
 * Asks the server for a sign of life: false if it gives none within 3 s. However often it is asked, it holds one
 * connection: a silent server must not eat up the pool.
 */
export const createAnswers = (pool: Pick<Pool, 'query'>): (() => Promise<boolean>) => {
  let underWay: Promise<boolean> | null = null
  const ask = async (): Promise<boolean> => {
    try {
      await pool.query('select 1')
      return true
    } catch {
      return false
    } finally {
      underWay = null
    }
  }
  return async () => {
    underWay ??= ask()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>(resolve => {
      timer = setTimeout(() => resolve(false), withinMs)
    })
    try {
      return await Promise.race([underWay, late])
    } finally {
      clearTimeout(timer)
    }
  }
}
