/** Numbers and tables as commands print them. */

/** With thousands separators, and at most one digit after the point. */
export const grouped = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 })

/**
 * One line a row. A column is as wide as its widest cell, and at least `least` characters; one that holds a number is
 * aligned to the right.
 */
export const table = (
  rows: readonly (readonly (string | number)[])[],
  least: readonly number[] = [],
): string[] => {
  const columns = (rows[0] ?? []).map((_, at) => {
    const cells = rows.map(row => row[at] ?? '')
    const texts = cells.map(cell => (typeof cell === 'number' ? grouped(cell) : cell))
    const width = Math.max(least[at] ?? 0, ...texts.map(text => text.length))
    const isNumeric = cells.some(cell => typeof cell === 'number')
    return texts.map(text => (isNumeric ? text.padStart(width) : text.padEnd(width)))
  })
  return rows.map((_, line) =>
    columns
      .map(column => column[line])
      .join('  ')
      .trimEnd(),
  )
}
