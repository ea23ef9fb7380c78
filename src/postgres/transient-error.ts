import { isNativeError } from 'node:util/types'
import { TransientError } from '../ports'

/**
 * SQLSTATEs that waiting cures: 08 connection, 53 resources, 57P server stopping or starting, 57014 cancelled by a
 * time limit, 55P03 lock not available in time, 25P03 idle too long, 25006 read-only during a switch-over,
 * 40 serialisation and deadlock.
 */
const transientState = /^(08|53|57P|57014|55P03|25P03|25006|40)/

const transientSystemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** The driver's own complaints carry no code. */
const transientText =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|not queryable|Query read timeout/

// `instanceof Error` misses the platform's own errors where code is loaded into a realm of its own.
export const codeOf = (error: unknown): string | null =>
  isNativeError(error) && 'code' in error && typeof error.code === 'string' ? error.code : null

/** Wraps what waiting cures as `TransientError`; everything else as it is. */
export const asPortError = (error: unknown): unknown => {
  if (!isNativeError(error)) return error
  const code = codeOf(error)
  const isTransient =
    code === null
      ? transientText.test(error.message)
      : transientState.test(code) || transientSystemCodes.has(code)
  // Several addresses tried in vain give an error with a code and no text.
  return isTransient ? new TransientError(`PostgreSQL: ${error.message || code}`, { cause: error }) : error
}
