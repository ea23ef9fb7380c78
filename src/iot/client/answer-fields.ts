/** Reads the fields of an answer that may hold anything: a reader gives null or nothing and never throws. */
import { oneLine } from '../../domain/plain-text'
import { createRedact } from '../../domain/redact'

export type Fields = Readonly<Record<string, unknown>>

const none: Fields = {}

/** The value's fields; none when it is not an object. */
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : none

/** Text that is not blank. A number becomes text only while it is exact: an id above 2^53 has lost digits. */
export const textOf = (fields: Fields, name: string): string | null => {
  const value = fields[name]
  if (typeof value === 'string') return value.trim() === '' ? null : value
  return Number.isSafeInteger(value) ? String(value) : null
}

/** A whole number, which may be written as text. */
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

export type Scrub = (text: string) => string

/** Longest text that is kept of an answer, characters. */
const longestText = 500

/** Signatures and hashes of requests, as in the explanation of a SignatureDoesNotMatch. */
const longHex = /\b[0-9a-f]{40,}\b/gi

/** Takes everything out of a text that must not be in a log, and makes one line of it. */
export const createScrub = (secrets: readonly string[]): Scrub => {
  const redact = createRedact(secrets)
  return text => oneLine(redact(text).replace(longHex, '***'), longestText)
}
