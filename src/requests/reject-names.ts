import type { Rejection } from '../domain/request'
import { excerpt, plainText } from './json-object'
import type { RequestRecord } from './read-record'
import { requestForOne } from './redrive-value'
import { knownFields, makeRejection } from './reject'
import { isDeviceName, isPrintable } from './request-schema'

/** A name that breaks the rules, with its place in `deviceNames`. */
export interface BadName {
  readonly index: number
  readonly name: unknown
}

export interface SortedNames {
  /** Distinct, in the order given. */
  readonly good: readonly string[]
  /** Texts distinct, in the order given. */
  readonly bad: readonly BadName[]
}

/** All dead letters of one record together: beyond it the record is rejected as one, to keep memory bounded. */
const maxDeadLetterBytes = 64 * 1024 * 1024

const rule = 'must be 4 to 32 of A-Z a-z 0-9 - _ @ . :'

/** Tells good names from bad; each name counts once. */
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

/** The name as its dead letter shows it: never larger than a name could be, so that many of them stay small. */
const writable = (name: unknown): unknown => {
  if (typeof name === 'string') return isPrintable(name) ? name : plainText(name, 64)
  return typeof name === 'object' && name !== null ? excerpt(name) : name
}

/**
 * One rejection for each bad name of an otherwise valid `deviceNames` record. Its dead letter is a request for
 * that name alone: the original would repeat the good ones. null: together they would be too large to hold.
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
