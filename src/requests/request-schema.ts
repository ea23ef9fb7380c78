/** The published schema of requests, as checks, and as problems for people. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv2020, { type ErrorObject } from 'ajv/dist/2020'
import { excerpt, type JsonObject } from './json-object'

const yearTenThousand = Date.UTC(10_000, 0, 1)

/**
 * Is this an instant from 1970 to 9999, on a day of the calendar? The text must have the shape of RFC 3339 already.
 * `Date.parse` alone would take February 30 for March 2.
 */
export const isInstant = (text: string): boolean => {
  const day = Number(text.slice(8, 10))
  const atMs = Date.parse(text)
  if (!(atMs >= 0 && atMs < yearTenThousand)) return false
  return day <= 28 || new Date(`${text.slice(0, 10)}T00:00:00Z`).getUTCDate() === day
}

/** The time of a record (ms since 1970), moved into 1970 to 9999. Brokers do not check what producers claim. */
export const recordedAt = (timestampMs: number): Date =>
  new Date(Math.min(Math.max(Number.isNaN(timestampMs) ? 0 : timestampMs, 0), yearTenThousand - 1))

/** The fields of a request whose envelope is valid. Its device names are checked one by one afterwards. */
export interface RequestFields {
  readonly requestId?: string
  readonly deviceName?: unknown
  readonly deviceNames?: readonly unknown[]
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly targetInstanceId?: string
  readonly targetInstanceIds?: readonly string[]
  readonly strategy?: 0 | 1
  readonly targetUid?: string
  readonly targetAliyunId?: string
  readonly priority?: 'normal' | 'urgent'
  readonly requestedAt?: string
}

interface PublishedSchema {
  readonly properties: Readonly<Record<string, object>> & {
    readonly requestedAt: { readonly pattern: string }
  }
  readonly $defs: {
    readonly printable: { readonly pattern: string }
    readonly deviceName: { readonly pattern: string }
  }
}

// The published file is the one source of these rules. It lies two levels above src/requests and above dist/requests.
const published: PublishedSchema = JSON.parse(
  readFileSync(join(__dirname, '../../schemas/move-request.schema.json'), 'utf8'),
)

/** The request's fields in the order in which they are published. */
export const requestFieldNames: readonly string[] = Object.keys(published.properties)
export const requestFieldSet: ReadonlySet<string> = new Set(requestFieldNames)

const printable = new RegExp(published.$defs.printable.pattern, 'u')
const deviceName = new RegExp(published.$defs.deviceName.pattern, 'u')

/** 1 to 256 printable characters. */
export const isPrintable = (value: unknown): value is string =>
  typeof value === 'string' && printable.test(value)

export const isDeviceName = (value: unknown): value is string =>
  typeof value === 'string' && deviceName.test(value)

const requestedAt = new RegExp(published.properties.requestedAt.pattern, 'u')

/** RFC 3339 with an offset, from 1970 on. */
export const isRequestedAt = (value: unknown): value is string =>
  typeof value === 'string' && requestedAt.test(value) && isInstant(value)

// A bad device name rejects only itself, so the envelope allows any name.
const envelope = {
  ...published,
  properties: {
    ...published.properties,
    deviceName: {},
    deviceNames: { ...published.properties.deviceNames, items: {} },
  },
}
const formats = { 'date-time': isInstant }

/** Compiling takes 50 ms, so it waits for the first use. Commands that read no request never come to it. */
const onFirstUse = <T>(compile: () => T): (() => T) => {
  let made: T | undefined
  return () => {
    made ??= compile()
    return made
  }
}
const firstProblem = onFirstUse(() => new Ajv2020({ formats }).compile<RequestFields>(envelope))
const everyProblem = onFirstUse(() =>
  new Ajv2020({ formats, allErrors: true, verbose: true }).compile(envelope),
)

/** Whether the envelope of a request is valid. Stops at the first problem. */
export const isEnvelope = (value: unknown): value is RequestFields => firstProblem()(value)

/** One entry more than the schema allows in any array but `deviceNames`. Further entries change no problem. */
const arrayLimit = 101

/** The fields of a request, with arrays cut so that a hostile record costs no more than any other. */
const bounded = (fields: JsonObject): JsonObject => {
  const copy: Record<string, unknown> = {}
  for (const name of requestFieldNames) {
    const value = fields[name]
    if (value === undefined) continue
    copy[name] = Array.isArray(value) && name !== 'deviceNames' ? value.slice(0, arrayLimit) : value
  }
  return copy
}

/** A JSON pointer as a JSON path: `/targetInstanceIds/3` becomes `$.targetInstanceIds[3]`. */
const pathOf = (pointer: string): string =>
  `$${pointer.replace(/\/(\d+)(?=\/|$)/g, '[$1]').replace(/\//g, '.')}`

const wrongType = (error: ErrorObject): string => {
  const wanted = String(error.params.type)
  if (wanted === 'string' && typeof error.data === 'number')
    return 'must be a string, not a number (digits would be lost)'
  if (error.data === null)
    return `must be ${wanted === 'integer' ? 'a number' : `a ${wanted}`}; leave out what has no value`
  if (wanted === 'integer') return 'must be 0 or 1, as a number'
  return `must be ${wanted === 'array' ? 'an array' : 'a string'}`
}

const wrongPattern = (error: ErrorObject): string =>
  error.instancePath === '/requestedAt'
    ? 'must be an instant such as 2026-11-24T08:00:00Z'
    : 'must be 1 to 256 printable characters'

const clauses: Readonly<Record<string, (error: ErrorObject) => string>> = {
  type: wrongType,
  pattern: wrongPattern,
  format: () => 'must be a day of the calendar, from 1970 on',
  enum: error => `must be ${[error.params.allowedValues].flat().join(' or ')}`,
  minItems: () => 'must not be empty',
  maxItems: error => `must not have more than ${String(error.params.limit)} entries`,
}

/** A rule over several fields. Its description in the schema says what to do. */
const brokenRule = (error: ErrorObject): string | null => {
  const rule: unknown = error.parentSchema?.description
  return /^#\/allOf\/\d+\/(oneOf|not|if)$/.test(error.schemaPath) && typeof rule === 'string'
    ? `$: ${rule}`
    : null
}

const problemOf = (error: ErrorObject): string | null => {
  if (error.schemaPath.startsWith('#/allOf/')) return brokenRule(error)
  if (error.keyword === 'required') return `$.${String(error.params.missingProperty)} is missing`
  const clause = clauses[error.keyword]?.(error) ?? 'is not valid'
  return `${pathOf(error.instancePath)} ${clause} (got ${excerpt(error.data)})`
}

/** These rules count first, in this order. A value that breaks one also breaks those after it, which would only repeat it. */
const decisive = ['type', 'pattern', 'format']

const withoutEchoes = (errors: readonly ErrorObject[]): readonly ErrorObject[] => {
  const rankOf = ({ keyword }: ErrorObject): number =>
    decisive.includes(keyword) ? decisive.indexOf(keyword) : decisive.length
  const ranks = new Map<string, number>()
  for (const error of errors) {
    const least = ranks.get(error.instancePath) ?? decisive.length
    ranks.set(error.instancePath, Math.min(least, rankOf(error)))
  }
  return errors.filter(error => rankOf(error) <= (ranks.get(error.instancePath) ?? decisive.length))
}

/** The problems of a request's envelope, each with its JSON path. Empty if it is valid. */
export const findProblems = (fields: JsonObject): string[] => {
  const validate = everyProblem()
  if (validate(bounded(fields))) return []
  const problems = withoutEchoes(validate.errors ?? []).map(problemOf)
  return [...new Set(problems.filter(problem => problem !== null))]
}
