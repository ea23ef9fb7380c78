import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv2020 from 'ajv/dist/2020'
import { isInstant } from './instant'

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

/** Is the envelope of a request valid? Stops at the first problem. */
export const isEnvelope = new Ajv2020({ formats }).compile<RequestFields>(envelope)

/** The same, for saying what is wrong: finds every problem. Give it bounded arrays only. */
export const examineEnvelope = new Ajv2020({ formats, allErrors: true, verbose: true }).compile(envelope)
