import type { ResultRow } from '../ports'
import type { Fields } from './answer-fields'
import { readRecords } from './result-records'
import { plainText } from './scrub'

export type ParsedResults =
  | { readonly rows: ReadonlyMap<string, ResultRow> }
  /** Why this is no result file of these devices. `empty`: it can be read and has no row at all. */
  | { readonly problem: string; readonly kind: 'strangers' | 'empty' | 'unreadable' }

/** In order of preference; case, `_`, `-` and spaces of a field's name do not count. */
const nameFields = ['devicename', 'name', 'device']
const codeFields = ['code']
const messageFields = ['message', 'errormessage', 'msg', 'reason']

const longestCode = 100
const moved = '200'

const simple = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')

const simplified = (record: Fields): ReadonlyMap<string, unknown> =>
  new Map(Object.entries(record).map(([name, value]) => [simple(name), value]))

const firstText = (record: ReadonlyMap<string, unknown>, names: readonly string[]): string | null => {
  for (const name of names) {
    const value = record.get(name)
    if (typeof value === 'number') return String(value)
    if (typeof value === 'string' && value.trim() !== '') return value.trim()
  }
  return null
}

/** Any line of text would pass for the header of a file without rows. */
const isResultHeader = (header: readonly string[]): boolean =>
  [nameFields, codeFields].every(wanted => header.some(name => wanted.includes(simple(name))))

/**
 * Reads what a result file says of the devices sent. A row without a code says nothing; a row of a name not sent is
 * left out (the file may have one for the product).
 */
export const parseResultFile = (body: Uint8Array, sent: readonly string[]): ParsedResults => {
  const read = readRecords(body)
  if ('problem' in read) return { ...read, kind: 'unreadable' }
  if (read.records.length === 0 && (read.header === undefined || isResultHeader(read.header)))
    return { problem: 'the file has no rows', kind: 'empty' }
  const wanted = new Set(sent)
  const rows = new Map<string, ResultRow>()
  let hasStrangers = false
  for (const record of read.records) {
    const fields = simplified(record)
    const name = firstText(fields, nameFields)
    const code = plainText(firstText(fields, codeFields) ?? '', longestCode)
    if (name === null || code === '') continue
    if (!wanted.has(name)) {
      hasStrangers = true
      continue
    }
    // Of two rows of a device the one that says "moved" counts: sent again, it would move twice.
    if (rows.get(name)?.code === moved) continue
    const message = firstText(fields, messageFields)
    rows.set(name, { code, message: message === null ? null : plainText(message) || null })
  }
  if (rows.size > 0) return { rows }
  return {
    problem: 'the file has no row with a code for any device of the batch',
    kind: hasStrangers ? 'strangers' : 'unreadable',
  }
}
