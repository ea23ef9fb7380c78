/** Reads JSON objects together with their text: a parser alone hides repeated members and loses digits of numbers. */
import { messageOf } from '../domain/error-text'
import { plainText } from '../domain/plain-text'
import type { RejectionCode } from '../domain/request'

/** A member of an object in its JSON text, as indices for `text.slice(from, to)`. The key has its quotes. */
export interface JsonMember {
  readonly keyFrom: number
  readonly keyTo: number
  readonly valueFrom: number
  readonly valueTo: number
}

const [quote, comma, colon, backslash] = [0x22, 0x2c, 0x3a, 0x5c]
const isOpening = (code: number): boolean => code === 0x7b || code === 0x5b
const isClosing = (code: number): boolean => code === 0x7d || code === 0x5d

/** The index after the string that starts at `from`. */
const endOfString = (text: string, from: number): number => {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let first = at
    while (text.charCodeAt(first - 1) === backslash) first--
    if ((at - first) % 2 === 0) return at + 1
  }
  return text.length
}

/**
 * Visits the members of the outermost object of valid JSON text, repeated ones too. It does not recurse, so that nesting of
 * any depth is safe.
 */
export const visitMembers = (text: string, visit: (member: JsonMember) => void): void => {
  let depth = 0
  let [keyFrom, keyTo, valueFrom] = [-1, -1, -1]
  const close = (valueTo: number): void => {
    if (valueFrom >= 0) visit({ keyFrom, keyTo, valueFrom, valueTo })
    keyFrom = -1
    valueFrom = -1
  }
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      const end = endOfString(text, at)
      if (depth === 1 && keyFrom < 0) [keyFrom, keyTo] = [at, end]
      at = end - 1
    } else if (isOpening(code)) depth++
    else if (isClosing(code)) {
      if (depth === 1) close(at)
      depth--
    } else if (depth === 1 && code === comma) close(at)
    else if (depth === 1 && code === colon) valueFrom = at + 1
  }
}

/** Number of members of the outermost object. A repeated member counts each time. */
const countMembers = (text: string): number => {
  let count = 0
  visitMembers(text, () => {
    count++
  })
  return count
}

/** The key of a member, without quotes and escapes. */
export const keyOf = (text: string, member: JsonMember): string =>
  String(JSON.parse(text.slice(member.keyFrom, member.keyTo)))

const excerptLength = 64

/** A value as a message to people shows it: at most 64 characters of a text, and the kind of anything with members. */
export const excerpt = (value: unknown): string => {
  if (typeof value === 'string') {
    const cut = value.length > excerptLength
    return `"${plainText(value, excerptLength)}${cut ? '…' : ''}"${cut ? ` (${value.length} characters)` : ''}`
  }
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}

export type JsonObject = Readonly<Record<string, unknown>>

/** A record that is not a request. `why` is a clause for people, without a full stop. */
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

/** An object with the text it was read from. */
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
    return unreadable('invalid_json', `the value is not JSON (${plainText(messageOf(error), 120)})`)
  }
}

/** The first field of `known` that the object has more than once; null if there is none. A parser would take the last. */
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

/** Reads one JSON object, in which none of the `known` fields may stand twice. Never throws. */
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
