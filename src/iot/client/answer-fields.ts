import { createRedact } from '../../domain/redact'

/** Reading an answer of which nothing is certain: every reader says null (or nothing) rather than throwing. */

export type Fields = Readonly<Record<string, unknown>>

const none: Fields = {}

/** The value's fields; none for whatever is no object. */
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : none

/** Text that is not blank. A number becomes text only while it is exact: ids beyond 2^53 have lost digits. */
export const textOf = (fields: Fields, name: string): string | null => {
  const value = fields[name]
  if (typeof value === 'string') return value.trim() === '' ? null : value
  return Number.isSafeInteger(value) ? String(value) : null
}

/** A whole number, also written as text. */
export const wholeNumberOf = (fields: Fields, name: string): number | null => {
  const text = textOf(fields, name)
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** A list, bare or as the one list inside its wrapper (`{"items": […]}`); empty when there is none. */
export const listOf = (value: unknown): readonly unknown[] => {
  if (Array.isArray(value)) return value
  const inner: unknown = Object.values(fieldsOf(value)).find(Array.isArray)
  return Array.isArray(inner) ? inner : []
}

const longestText = 500

/** Plain text for logs, tables and headers: no control characters, single spaces, cut to `longest` characters. */
export const plainText = (text: string, longest = longestText): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\s]+/g, ' ')
    .trim()
    .slice(0, longest)
    // A pair cut in two is no text.
    .replace(/[\ud800-\udbff]$/, '')

export type Scrub = (text: string) => string

/** Signatures and hashes of requests, as in the explanation of a SignatureDoesNotMatch. */
const longHex = /\b[0-9a-f]{40,}\b/gi

/** Takes out of a text whatever must not be in a log, then makes it plain. */
export const createScrub = (secrets: readonly string[]): Scrub => {
  const redact = createRedact(secrets)
  return text => plainText(redact(text).replace(longHex, '***'))
}
