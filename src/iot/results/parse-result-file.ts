import { parse } from 'csv-parse/sync'
import { messageOf } from '../../domain/error-text'
import type { ResultRow } from '../../ports/job-api'
import { type Fields, fieldsOf, plainText } from '../client/answer-fields'

/**
 * The records of a file, in order, whatever their fields are called; or why it cannot be read. `header`: what a file
 * with a header calls its columns.
 */
export type Records =
  | { readonly records: readonly Fields[]; readonly header?: readonly string[] }
  | { readonly problem: string }

/** Ten times what a job has of devices. More is no result file, and would keep everything else waiting. */
const maxRecords = 100_000
const longestCsvRecord = 100_000
const tooMany: Records = { problem: `more than ${maxRecords} records` }

const parseJson = (text: string): { readonly value: unknown } | null => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return null
  }
}

/** The one list inside an object (`{"Data": {"items": […]}}`), at most three levels down; null: none, or several. */
const wrappedList = (value: unknown, depth = 3): readonly unknown[] | null => {
  if (Array.isArray(value)) return value
  if (depth === 0) return null
  const lists = Object.values(fieldsOf(value))
    .map(inner => wrappedList(inner, depth - 1))
    .filter(list => list !== null)
  return lists.length === 1 ? (lists[0] ?? null) : null
}

/** A broken line makes the whole file unreadable: a file cut there may lack any number of lines more. */
const readJsonLines = (text: string): Records => {
  const records: Fields[] = []
  const lines = text.split(/\r\n|\n|\r/)
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const parsed = parseJson(line)
    if (parsed === null) return { problem: `line ${index + 1} is not JSON (truncated?)` }
    records.push(fieldsOf(parsed.value))
    if (records.length > maxRecords) return tooMany
  }
  return { records }
}

const readJson = (text: string): Records => {
  const whole = parseJson(text)
  if (whole === null)
    return text.startsWith('[') ? { problem: 'a JSON list that is broken (truncated?)' } : readJsonLines(text)
  // An object itself too: it may be the only line of a file of lines, with a list among its fields.
  const list = Array.isArray(whole.value)
    ? whole.value
    : [whole.value, ...(wrappedList(whole.value) ?? []).slice(0, maxRecords)]
  return list.length > maxRecords ? tooMany : { records: list.map(fieldsOf) }
}

const delimiterOf = (text: string): string => {
  const header = text.split(/[\r\n]/, 1)[0] ?? ''
  return [',', ';', '\t'].find(delimiter => header.includes(delimiter)) ?? ','
}

/** A line with more or fewer fields than the header makes the whole file unreadable, for the same reason. */
const readCsv = (text: string): Records => {
  let header: string[] = []
  try {
    const records: unknown = parse(text, {
      columns: (names: string[]) => {
        header = names
        return names
      },
      delimiter: delimiterOf(text),
      skip_empty_lines: true,
      trim: true,
      to: maxRecords + 1,
      max_record_size: longestCsvRecord,
    })
    if (!Array.isArray(records)) return { records: [], header }
    return records.length > maxRecords ? tooMany : { records: records.map(fieldsOf), header }
  } catch (error) {
    return { problem: plainText(messageOf(error), 200) }
  }
}

/**
 * Splits a result file into records. Its format is documented nowhere, so three are read: JSON (a list, or an object
 * around one), JSON lines, CSV with a header.
 */
export const readRecords = (body: Uint8Array): Records => {
  // The decoder takes a byte order mark away; bad bytes become U+FFFD, which at worst spoils a message.
  const text = new TextDecoder().decode(body).trim()
  // No line is what a file of lines without a row looks like.
  if (text === '') return { records: [] }
  if (text.startsWith('<')) return { problem: 'HTML or XML instead of a result file' }
  return text.startsWith('[') || text.startsWith('{') ? readJson(text) : readCsv(text)
}

export type ParsedResults =
  | { readonly rows: ReadonlyMap<string, ResultRow> }
  /** Why this is no result file of these devices. `empty`: it can be read and has no row at all. */
  | { readonly problem: string; readonly kind: 'wrong-devices' | 'empty' | 'unreadable' }

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
  let hasWrongDevices = false
  for (const record of read.records) {
    const fields = simplified(record)
    const name = firstText(fields, nameFields)
    const code = plainText(firstText(fields, codeFields) ?? '', longestCode)
    if (name === null || code === '') continue
    if (!wanted.has(name)) {
      hasWrongDevices = true
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
    kind: hasWrongDevices ? 'wrong-devices' : 'unreadable',
  }
}
