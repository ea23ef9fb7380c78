import type { RejectionCode } from '../domain/request'
import { countMembers, keyOf, visitMembers } from './json-members'
import { excerpt, plainText } from './plain-text'

export type JsonObject = Readonly<Record<string, unknown>>

/** Why a record is not a request, for people: a clause without its full stop. */
export interface Unreadable {
  readonly kind: 'unreadable'
  readonly code: RejectionCode
  readonly why: string
}

export const unreadable = (code: RejectionCode, why: string): Unreadable => ({
  kind: 'unreadable',
  code,
  why,
})

/** An object with the text it was read from: numbers lose digits on their way through a parser. */
export interface WrittenObject {
  readonly kind: 'object'
  readonly fields: JsonObject
  readonly text: string
}

export type ReadObject = WrittenObject | Unreadable

const parse = (text: string): { readonly value: unknown } | Unreadable => {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    const reason = error instanceof Error ? plainText(error.message, 120) : 'unreadable'
    return unreadable('invalid_json', `the value is not JSON (${reason})`)
  }
}

/** The first of `known` that the object has more than once: a parser would silently take the last. */
const repeatedField = (text: string, known: ReadonlySet<string>): string | null => {
  const seen = new Set<string>()
  let repeated: string | null = null
  visitMembers(text, member => {
    const key = keyOf(text, member)
    if (known.has(key) && seen.has(key)) repeated ??= key
    seen.add(key)
  })
  return repeated
}

const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads one JSON object in which none of the `known` fields stands twice. Never throws. */
export const readObject = (text: string, known: ReadonlySet<string>): ReadObject => {
  const parsed = parse(text)
  if ('kind' in parsed) return parsed
  const { value } = parsed
  if (!isJsonObject(value)) {
    return unreadable('invalid_request', `$ must be a JSON object (got ${excerpt(value)})`)
  }
  if (countMembers(text) !== Object.keys(value).length) {
    const repeated = repeatedField(text, known)
    if (repeated !== null) return unreadable('invalid_request', `$.${repeated} is given more than once`)
  }
  return { kind: 'object', fields: value, text }
}
