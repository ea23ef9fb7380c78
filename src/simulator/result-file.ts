/** How a result file goes wrong when it is fetched. */
export const fileFaults = [
  'html',
  'empty',
  'truncated',
  'huge',
  'gzip',
  'unavailable',
  'cut',
  'expired',
] as const

export type FileFault = (typeof fileFaults)[number]

/** The real format is documented nowhere; these are the likely ones. */
export interface FileFormat {
  readonly layout: 'json' | 'ndjson' | 'csv'
  readonly codes: 'number' | 'text'
  readonly keys: 'pascal' | 'camel' | 'lower'
}

export interface FileRow {
  readonly deviceName: string
  readonly code: string
  readonly message: string
}

const fields = ['ProductKey', 'DeviceName', 'Code', 'Message'] as const

const spellings = {
  pascal: (name: string) => name,
  camel: (name: string) => name.charAt(0).toLowerCase() + name.slice(1),
  lower: (name: string) => name.toLowerCase(),
}

const quoted = (cell: string | number): string =>
  typeof cell === 'string' && /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : String(cell)

/** The file as text, rows in the order given. */
export const renderResultFile = (
  format: FileFormat,
  productKey: string,
  rows: readonly FileRow[],
): string => {
  const names = fields.map(spellings[format.keys])
  const cells = (row: FileRow): (string | number)[] => {
    const numeric = format.codes === 'number' && /^\d+$/.test(row.code)
    return [productKey, row.deviceName, numeric ? Number(row.code) : row.code, row.message]
  }
  if (format.layout === 'csv')
    return `${[names, ...rows.map(cells)].map(line => line.map(quoted).join(',')).join('\r\n')}\r\n`
  const objects = rows.map(row => {
    const values = cells(row)
    return JSON.stringify(Object.fromEntries(names.map((name, at) => [name, values[at]])))
  })
  return format.layout === 'json' ? `[${objects.join(',')}]` : objects.map(line => `${line}\n`).join('')
}

export const contentTypeOf = (format: FileFormat): string =>
  ({ json: 'application/json', ndjson: 'application/x-ndjson', csv: 'text/csv' })[format.layout]
