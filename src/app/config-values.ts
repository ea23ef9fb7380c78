/** The kinds of values that variables have. Each parser throws an error that says what is wrong with the text. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { messageOf } from '../domain/error-text'
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

const contentOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`names a file that cannot be read (${messageOf(error)}): correct the path, or its rights`)
  }
}

/** The certificates in a PEM file, in their order. */
export const certificatesIn = (path: string): readonly [X509Certificate, ...X509Certificate[]] => {
  const blocks = contentOf(path).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    const [first, ...more] = blocks.map(block => new X509Certificate(block))
    if (first !== undefined) return [first, ...more]
  } catch (error) {
    throw new Error(`names a file with a damaged certificate (${messageOf(error)}): give it in PEM`)
  }
  throw new Error(`must name a file that holds a certificate in PEM, and ${path} holds none`)
}

/** Whether the private key in a PEM file is that of the certificate. */
export const isKeyOf = (path: string, certificate: X509Certificate): boolean =>
  certificate.checkPrivateKey(createPrivateKey(contentOf(path)))

/** The path of a PEM file with certificates. The file is read again at each connection. */
export const certificateFile = (path: string): string => {
  certificatesIn(path)
  return path
}

/** The path of a PEM file with a private key, which must not be encrypted. */
export const keyFile = (path: string): string => {
  const content = contentOf(path)
  if (content.includes('ENCRYPTED'))
    throw new Error('names a file with an encrypted key: decrypt it (openssl pkey), and guard the file')
  try {
    createPrivateKey(content)
  } catch {
    // The reason might repeat a part of the key.
    throw new Error(`must name a file that holds a private key in PEM, and ${path} holds none`)
  }
  return path
}
