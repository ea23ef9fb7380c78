import { parse } from 'csv-parse/sync'
import type { CsvColumns } from './csv-header'

/** Cells of one row; why not, for a row that is not CSV. */
export type CsvCells = { readonly cells: readonly string[] } | { readonly problem: string }

/**
 * Cells of one line. A row is a line: so a quote left open spoils its own row only, and not the rest of the file.
 */
export const csvCells = (line: string): CsvCells => {
  if (!line.includes('"')) return { cells: line.split(',') }
  try {
    const rows: string[][] = parse(line, { relax_column_count: true })
    return { cells: rows[0] ?? [] }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const open = code === 'CSV_QUOTE_NOT_CLOSED'
    return { problem: open ? 'a quote is not closed on its line' : 'a quote stands inside a cell' }
  }
}

const cellValue = (field: string, cell: string): unknown => {
  if (field === 'targetInstanceIds' || field === 'deviceNames') return cell.split('|')
  if (field === 'strategy' && /^\d{1,9}$/.test(cell)) return Number(cell)
  return cell
}

/** A row as the request it asks for, nothing checked: an empty cell is a field that is not there. */
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
