import { TransientError } from '../ports'
import { asPortError } from './transient-error'

/** What was read, or null while the database cannot be reached: it may come back. */
export const ifReachable = async <T>(reading: Promise<T>): Promise<T | null> => {
  try {
    return await reading
  } catch (error) {
    if (asPortError(error) instanceof TransientError) return null
    throw error
  }
}
