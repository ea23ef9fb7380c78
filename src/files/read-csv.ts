/** Reads CSV: each row becomes the JSON of a request. */
import { parse } from 'csv-parse/sync'
import { codeOf } from '../domain/error-text'
import { decodeUtf8 } from '../domain/plain-text'
import type { KnownFile } from './file-format'
import { type Line, readLines } from './read-lines'

const fieldNames = [
  'requestId',
  'deviceName',
  'deviceNames',
  'productKey',
  'sourceInstanceId',
  'targetInstanceId',
  'targetInstanceIds',
  'strategy',
  'targetUid',
  'targetAliyunId',
  'priority',
  'requestedAt',
] as const

type CsvField = (typeof fieldNames)[number]

/** The field of each column; null for an unknown column. */
type CsvColumns = readonly (CsvField | null)[]

/** The header needs at least one column of each group. */
const required: readonly (readonly CsvField[])[] = [
  ['deviceName', 'deviceNames'],
  ['productKey'],
  ['sourceInstanceId'],
  ['targetInstanceId', 'targetInstanceIds'],
]

const isField = (name: string): name is CsvField => fieldNames.some(field => field === name)

/** The columns of a header row. Throws one error that names all columns that are missing or repeated. */
export const csvColumns = (header: readonly string[], name: string): CsvColumns => {
  const columns = header.map(cell => cell.trim()).map(name => (isField(name) ? name : null))
  const problems = required
    .filter(group => !group.some(field => columns.includes(field)))
    .map(group => `no column ${group.join(' or ')}`)
  const repeated = columns.filter((field, index) => field !== null && columns.indexOf(field) !== index)
  problems.push(...[...new Set(repeated)].map(field => `column ${field} more than once`))
  if (problems.length === 0) return columns
  const hint = header.length === 1 ? '; cells are separated by commas' : ''
  throw new Error(`${name}: the header row has ${problems.join(', ')}${hint}`)
}

/** The cells of one row, or why the row is not CSV. */
type CsvCells = { readonly cells: readonly string[] } | { readonly problem: string }

/** The cells of one line. A row never spans lines, so that a quote left open spoils its own row only. */
export const csvCells = (line: string): CsvCells => {
  if (!line.includes('"')) return { cells: line.split(',') }
  try {
    const rows: string[][] = parse(line, { relax_column_count: true })
    return { cells: rows[0] ?? [] }
  } catch (error) {
    const open = codeOf(error) === 'CSV_QUOTE_NOT_CLOSED'
    return { problem: open ? 'a quote is not closed on its line' : 'a quote stands inside a cell' }
  }
}

const cellValue = (field: string, cell: string): unknown => {
  if (field === 'targetInstanceIds' || field === 'deviceNames') return cell.split('|')
  if (field === 'strategy' && /^\d{1,9}$/.test(cell)) return Number(cell)
  return cell
}

/** The request that a row asks for, unchecked. An empty cell is a field that is not there. */
export const csvRequest = (
  columns: CsvColumns,
  cells: readonly string[],
): Readonly<Record<string, unknown>> => {
  const request: Record<string, unknown> = {}
  columns.forEach((field, index) => {
    const cell = cells[index] ?? ''
    if (field !== null && cell !== '') request[field] = cellValue(field, cell)
  })
  return request
}

const headerOf = (line: Line, name: string): CsvColumns => {
  const text = decodeUtf8(line.bytes)
  if (text === null) throw new Error(`${name}: the header row is not UTF-8 text; save the file as UTF-8`)
  const row = csvCells(text)
  if ('problem' in row) throw new Error(`${name}: the header row is not CSV: ${row.problem}`)
  return csvColumns(row.cells, name)
}

/** A JSON text instead of a request. The row's rejection quotes it, and with it the problem. */
const notARow = (line: Line, problem: string): Buffer =>
  Buffer.from(JSON.stringify(`line ${line.number}: ${problem}`))

const rowValue = (line: Line, columns: CsvColumns): Buffer | null => {
  const text = decodeUtf8(line.bytes)
  // The parser of records rejects these bytes with the right reason.
  if (text === null) return line.bytes
  const row = csvCells(text)
  if ('problem' in row) return notARow(line, row.problem)
  // Spreadsheets leave rows of empty cells behind.
  if (row.cells.every(cell => cell === '')) return null
  if (row.cells.length !== columns.length) {
    return notARow(line, `${row.cells.length} cells, but the header has ${columns.length}`)
  }
  return Buffer.from(JSON.stringify(csvRequest(columns, row.cells)))
}

/**
 * The rows of a CSV file as JSON, under the numbers of their lines. A row that cannot be read becomes a value that the
 * parser of records rejects. Throws for a header that lacks columns.
 */
export async function* readCsv(file: KnownFile): AsyncGenerator<readonly Line[]> {
  let columns: CsvColumns | null = null
  for await (const lines of readLines(file)) {
    const rows: Line[] = []
    for (const line of lines) {
      if (line.bytes.length === 0) continue
      if (columns === null) {
        columns = headerOf(line, file.name)
        continue
      }
      const bytes = rowValue(line, columns)
      if (bytes !== null) rows.push({ number: line.number, bytes })
    }
    yield rows
  }
}
