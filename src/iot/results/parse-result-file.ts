/** Reads what a result file says of each device, in whichever of three formats it is written. */

import { parse } from 'csv-parse/sync'
import type { DeviceResult } from '../../domain/device-results'
import { messageOf } from '../../domain/error-text'
import { oneLine } from '../../domain/plain-text'
import { type Fields, fieldsOf } from '../client/answer-fields'

/** The records of a file in order, or why it cannot be read. `header` holds the names of the columns of a CSV file. */
type Records =
  | { readonly records: readonly Fields[]; readonly header?: readonly string[] }
  | { readonly problem: string }

/** Ten times the devices of a job. A longer file is no result file, and reading it would keep everything else waiting. */
const maxRecords = 100_000
/** Longest record of a CSV file, characters. */
const longestCsvRecord = 100_000
const tooMany: Records = { problem: `more than ${maxRecords} records` }

const parseJson = (text: string): { readonly value: unknown } | null => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return null
  }
}

/** The one list inside an object (`{"Data": {"items": […]}}`), at most three levels down; null for none or several. */
const wrappedList = (value: unknown, depth = 3): readonly unknown[] | null => {
  if (Array.isArray(value)) return value
  if (depth === 0) return null
  const lists = Object.values(fieldsOf(value))
    .map(inner => wrappedList(inner, depth - 1))
    .filter(list => list !== null)
  return lists.length === 1 ? (lists[0] ?? null) : null
}

/** A broken line makes the whole file unreadable: a file that was cut there may lack any number of lines. */
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
  // The object itself counts too: it may be the only line of a file of lines, with a list among its fields.
  const list = Array.isArray(whole.value)
    ? whole.value
    : [whole.value, ...(wrappedList(whole.value) ?? []).slice(0, maxRecords)]
  return list.length > maxRecords ? tooMany : { records: list.map(fieldsOf) }
}

const delimiterOf = (text: string): string => {
  const header = text.split(/[\r\n]/, 1)[0] ?? ''
  return [',', ';', '\t'].find(delimiter => header.includes(delimiter)) ?? ','
}

/** A line with more or fewer fields than the header makes the whole file unreadable, because the file may be cut there. */
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
    return { problem: oneLine(messageOf(error), 200) }
  }
}

/**
 * Splits a result file into records. Its format is not documented, so three are read: JSON (a list, or an object around
 * one), JSON lines, and CSV with a header.
 */
const readRecords = (body: Uint8Array): Records => {
  // The decoder drops a byte order mark. Bad bytes become U+FFFD, which at worst spoils a message.
  const text = new TextDecoder().decode(body).trim()
  // A file of lines without a row has no line at all.
  if (text === '') return { records: [] }
  if (text.startsWith('<')) return { problem: 'HTML or XML instead of a result file' }
  return text.startsWith('[') || text.startsWith('{') ? readJson(text) : readCsv(text)
}

export type ParsedResults =
  | { readonly rows: ReadonlyMap<string, DeviceResult> }
  /** Why this is no result file of these devices. `empty`: it can be read and has no row. */
  | { readonly problem: string; readonly kind: 'wrong-devices' | 'empty' | 'unreadable' }

/** Names of fields in order of preference. Case, `_`, `-` and spaces do not count. */
const nameFields = ['devicename', 'name', 'device']
const codeFields = ['code']
const messageFields = ['message', 'errormessage', 'msg', 'reason']

/** Longest code and message that are kept, characters. */
const longestCode = 100
const longestMessage = 500
/** The code of a device that was moved. */
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

/** Whether a line is the header of a result file. Without this check any line of text would pass for one. */
const isResultHeader = (header: readonly string[]): boolean =>
  [nameFields, codeFields].every(wanted => header.some(name => wanted.includes(simple(name))))

/**
 * Reads what a result file says of the devices sent. A row without a code says nothing. A row of a name that was not sent
 * is left out: the file may have one for the product. With `sent` null every name counts.
 */
export const parseResultFile = (body: Uint8Array, sent: readonly string[] | null): ParsedResults => {
  const read = readRecords(body)
  if ('problem' in read) return { ...read, kind: 'unreadable' }
  if (read.records.length === 0 && (read.header === undefined || isResultHeader(read.header)))
    return { problem: 'the file has no rows', kind: 'empty' }
  const wanted = sent === null ? null : new Set(sent)
  const rows = new Map<string, DeviceResult>()
  let hasWrongDevices = false
  for (const record of read.records) {
    const fields = simplified(record)
    const name = firstText(fields, nameFields)
    const code = oneLine(firstText(fields, codeFields) ?? '', longestCode)
    if (name === null || code === '') continue
    if (wanted !== null && !wanted.has(name)) {
      hasWrongDevices = true
      continue
    }
    // Of two rows of a device the one that says "moved" counts, because a device sent again would move twice.
    if (rows.get(name)?.code === moved) continue
    const message = firstText(fields, messageFields)
    rows.set(name, { code, message: message === null ? null : oneLine(message, longestMessage) || null })
  }
  if (rows.size > 0) return { rows }
  return {
    problem: 'the file has no row with a code for any device of the batch',
    kind: hasWrongDevices ? 'wrong-devices' : 'unreadable',
  }
}
