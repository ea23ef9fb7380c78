import type { RejectionCode } from '../domain/request'

/** A member of an object within its JSON text: `text.slice(from, to)`, the key with its quotes. */
export interface JsonMember {
  readonly keyFrom: number
  readonly keyTo: number
  readonly valueFrom: number
  readonly valueTo: number
}

const [quote, comma, colon, backslash] = [0x22, 0x2c, 0x3a, 0x5c]
const isOpening = (code: number): boolean => code === 0x7b || code === 0x5b
const isClosing = (code: number): boolean => code === 0x7d || code === 0x5d

/** Index just behind the string that starts at `from`. */
const endOfString = (text: string, from: number): number => {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let first = at
    while (text.charCodeAt(first - 1) === backslash) first--
    if ((at - first) % 2 === 0) return at + 1
  }
  return text.length
}

/**
 * Visits the members of the outermost object of valid JSON text, repeated ones too (which a parser hides).
 * No recursion: nesting may be as deep as it likes.
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

/** How many members the outermost object has, repeated ones counted each time. */
export const countMembers = (text: string): number => {
  let count = 0
  visitMembers(text, () => {
    count++
  })
  return count
}

/** Key of a member, unescaped. */
export const keyOf = (text: string, member: JsonMember): string =>
  String(JSON.parse(text.slice(member.keyFrom, member.keyTo)))

const notPrintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu
const excerptLength = 64

/** Text safe to show and store: control characters, line separators and lone surrogates become `�`. */
export const plainText = (text: string, maxLength: number): string =>
  text.slice(0, maxLength).replace(notPrintable, '�')

/** What a value looks like, for a message to people: never more than 64 characters of it. */
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
