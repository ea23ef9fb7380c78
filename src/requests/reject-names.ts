/** The device names of a request: which are good, and a rejection for each bad one. */
import { plainText } from '../domain/plain-text'
import type { Rejection } from '../domain/request'
import { excerpt } from './json-object'
import type { RequestRecord } from './read-record'
import { knownFields, makeRejection, requestForOne } from './reject'
import { isDeviceName, isPrintable } from './request-schema'

/** A name that breaks the rules, with its place in `deviceNames`. */
interface BadName {
  readonly index: number
  readonly name: unknown
}

interface SortedNames {
  /** Each once, in the order given. */
  readonly good: readonly string[]
  /** In the order given. A text that is repeated stands once. */
  readonly bad: readonly BadName[]
}

/** Most bytes of a record's dead letters together. With more, the record is rejected as a whole, to bound memory. */
const maxDeadLetterBytes = 64 * 1024 * 1024

const rule = 'must be 4 to 32 of A-Z a-z 0-9 - _ @ . :'

/** Separates good names from bad ones. Each name counts once. */
export const sortNames = (names: readonly unknown[]): SortedNames => {
  const good = new Set<string>()
  const bad: BadName[] = []
  const badTexts = new Set<string>()
  names.forEach((name, index) => {
    if (isDeviceName(name)) {
      good.add(name)
      return
    }
    if (typeof name === 'string') {
      if (badTexts.has(name)) return
      badTexts.add(name)
    }
    bad.push({ index, name })
  })
  return { good: [...good], bad }
}

/** What is wrong with a device name. */
export const badNameProblem = (path: string, name: unknown): string => {
  const clause = typeof name === 'string' ? rule : `must be a string: ${rule.slice('must be '.length)}`
  return `${path} ${clause} (got ${excerpt(name)})`
}

/** The name as its dead letter has it. It is never longer than a name may be, so that many dead letters stay small. */
const writable = (name: unknown): unknown => {
  if (typeof name === 'string') return isPrintable(name) ? name : plainText(name, 64)
  return typeof name === 'object' && name !== null ? excerpt(name) : name
}

/**
 * One rejection for each bad name in the `deviceNames` of an otherwise valid record. Its dead letter is a request for that
 * name alone, because the original would repeat the good names. null if the dead letters together would be too large.
 */
export const rejectNames = (read: RequestRecord, bad: readonly BadName[]): Rejection[] | null => {
  const known = knownFields(read)
  const requestFor = requestForOne(read, known.requestId)
  if (bad.length * requestFor('').deadLetter.length > maxDeadLetterBytes) return null
  return bad.map(({ index, name }, ordinal) =>
    makeRejection(
      read.origin,
      { ...known, deviceName: isPrintable(name) ? name : null },
      ordinal,
      'invalid_device_name',
      [badNameProblem(`$.deviceNames[${index}]`, name)],
      requestFor(writable(name)),
    ),
  )
}
