/** The kinds of values that variables have. Each parser throws an error that says what is wrong with the text. */
import { isLoopback } from '../domain/loopback'

export const text =
  (pattern?: RegExp, form?: string) =>
  (value: string): string => {
    if (pattern !== undefined && !pattern.test(value)) throw new Error(`must be ${form}`)
    return value
  }

export const integer =
  (min: number, max: number) =>
  (value: string): number => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new Error(`must be a whole number from ${min} to ${max}`)
    return number
  }

export const flag = (value: string): boolean => {
  if (value !== 'true' && value !== 'false') throw new Error('must be true or false')
  return value === 'true'
}

export const choice =
  <T extends string>(...allowed: readonly T[]) =>
  (value: string): T => {
    const found = allowed.find(one => one === value)
    if (found === undefined) throw new Error(`must be one of ${allowed.join(', ')}`)
    return found
  }

export const list =
  (pattern: RegExp, form: string) =>
  (value: string): readonly string[] => {
    const items = value
      .split(',')
      .map(item => item.trim())
      .filter(item => item !== '')
    const bad = items.find(item => !pattern.test(item))
    if (items.length === 0 || bad !== undefined) throw new Error(`must be a comma-separated list of ${form}`)
    return items
  }

export const url =
  (...protocols: readonly string[]) =>
  (value: string): string => {
    const form = `must be a URL that starts with ${protocols.join('// or ')}//`
    if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) throw new Error(form)
    return value
  }

/** Calls are signed, not encrypted. Without TLS the session token and every device name could be read on the way. */
export const endpoint = (value: string): string => {
  const { protocol, hostname, username, password } = new URL(url('https:', 'http:')(value))
  if (username !== '' || password !== '') throw new Error('must not hold a user name')
  if (protocol === 'http:' && !isLoopback(hostname))
    throw new Error('must start with https:// unless its host is this machine (127.0.0.1)')
  return value
}

export const topic = text(/^[A-Za-z0-9._-]{1,249}$/, 'a topic name (1 to 249 of A-Z a-z 0-9 . _ -)')
export const printable = text(/^[\x21-\x7e]{1,256}$/, '1 to 256 printable characters without spaces')
export const durationMs = integer(1, 86_400_000)
export const callsPerSecond = integer(1, 1000)
