import { type CsvColumns, csvColumns } from './csv-header'
import { csvCells, csvRequest } from './csv-row'
import type { KnownFile } from './known-file'
import { type Line, readLines } from './read-lines'

const utf8 = new TextDecoder('utf-8', { fatal: true })

const textOf = (bytes: Uint8Array): string | null => {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

const headerOf = (line: Line, name: string): CsvColumns => {
  const text = textOf(line.bytes)
  if (text === null) throw new Error(`${name}: the header row is not UTF-8 text; save the file as UTF-8`)
  const row = csvCells(text)
  if ('problem' in row) throw new Error(`${name}: the header row is not CSV: ${row.problem}`)
  return csvColumns(row.cells, name)
}

/** JSON, but no request: what is wrong reaches the row's rejection. */
const notARow = (line: Line, problem: string): Buffer =>
  Buffer.from(JSON.stringify(`line ${line.number}: ${problem}`))

const rowValue = (line: Line, columns: CsvColumns): Buffer | null => {
  const text = textOf(line.bytes)
  // Let the parser of records say so.
  if (text === null) return line.bytes
  const row = csvCells(text)
  if ('problem' in row) return notARow(line, row.problem)
  // Spreadsheets leave such rows behind.
  if (row.cells.every(cell => cell === '')) return null
  if (row.cells.length !== columns.length) {
    return notARow(line, `${row.cells.length} cells, but the header has ${columns.length}`)
  }
  return Buffer.from(JSON.stringify(csvRequest(columns, row.cells)))
}

/**
 * The rows of a CSV file as JSON, under the numbers of their lines. A row that cannot be read becomes a value that
 * will be rejected. Throws for a header that names too little.
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
