import { parse } from 'csv-parse/sync'
import { messageOf } from '../domain/message-of'
import { type Fields, fieldsOf } from './answer-fields'
import { plainText } from './scrub'

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
