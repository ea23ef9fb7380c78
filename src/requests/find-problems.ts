import type { ErrorObject } from 'ajv/dist/2020'
import { excerpt, type JsonObject } from './json-object'
import { envelopeProblems, requestFieldNames } from './request-schema'

/** The longest array the schema allows, and one: what lies beyond changes nothing. */
const arrayLimit = 101

/** The request's own fields with arrays cut, so that a hostile record costs no more than another. */
const bounded = (fields: JsonObject): JsonObject => {
  const copy: Record<string, unknown> = {}
  for (const name of requestFieldNames) {
    const value = fields[name]
    if (value === undefined) continue
    copy[name] = Array.isArray(value) && name !== 'deviceNames' ? value.slice(0, arrayLimit) : value
  }
  return copy
}

/** JSON pointer → JSON path: `/targetInstanceIds/3` → `$.targetInstanceIds[3]`. */
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

/** A rule over several fields says in its description what to do. */
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

/** What breaks one of these rules breaks those behind it too: they would only repeat it. */
const telling = ['type', 'pattern', 'format']

const withoutEchoes = (errors: readonly ErrorObject[]): readonly ErrorObject[] => {
  const rankOf = ({ keyword }: ErrorObject): number =>
    telling.includes(keyword) ? telling.indexOf(keyword) : telling.length
  const ranks = new Map<string, number>()
  for (const error of errors) {
    const least = ranks.get(error.instancePath) ?? telling.length
    ranks.set(error.instancePath, Math.min(least, rankOf(error)))
  }
  return errors.filter(error => rankOf(error) <= (ranks.get(error.instancePath) ?? telling.length))
}

/** Everything wrong with a request's envelope, each with its JSON path; empty if nothing is. */
export const findProblems = (fields: JsonObject): string[] => {
  const problems = withoutEchoes(envelopeProblems(bounded(fields))).map(problemOf)
  return [...new Set(problems.filter(problem => problem !== null))]
}
