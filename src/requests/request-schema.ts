import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv2020, { type ErrorObject } from 'ajv/dist/2020'

const yearTenThousand = Date.UTC(10_000, 0, 1)

/**
 * Is this a day of the calendar, at an instant from 1970 to 9999? The text must have RFC 3339's shape already
 * (`Date.parse` takes February 30 for March 2).
 */
export const isInstant = (text: string): boolean => {
  const day = Number(text.slice(8, 10))
  const atMs = Date.parse(text)
  if (!(atMs >= 0 && atMs < yearTenThousand)) return false
  return day <= 28 || new Date(`${text.slice(0, 10)}T00:00:00Z`).getUTCDate() === day
}

/** The time a record carries (ms since 1970), moved into 1970 to 9999: brokers hand on what producers claim. */
export const recordedAt = (timestampMs: number): Date =>
  new Date(Math.min(Math.max(Number.isNaN(timestampMs) ? 0 : timestampMs, 0), yearTenThousand - 1))

/** What the envelope check leaves certain. Device names are checked one by one, elsewhere. */
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

// The published file is the one source of these rules: two levels up from src/intake and from dist/intake alike.
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

// A bad name rejects only itself, so names are free here.
const envelope = {
  ...published,
  properties: {
    ...published.properties,
    deviceName: {},
    deviceNames: { ...published.properties.deviceNames, items: {} },
  },
}
const formats = { 'date-time': isInstant }

/** Compiling takes 50 ms: it waits for the first use, which a command without a request never comes to. */
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

/** Is the envelope of a request valid? Stops at the first problem. */
export const isEnvelope = (value: unknown): value is RequestFields => firstProblem()(value)

/** Everything that is wrong with the envelope of a request; empty when it is valid. Give it bounded arrays only. */
export const envelopeProblems = (value: unknown): readonly ErrorObject[] => {
  const validate = everyProblem()
  return validate(value) ? [] : (validate.errors ?? [])
}
