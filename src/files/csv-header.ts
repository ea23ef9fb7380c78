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

export type CsvField = (typeof fieldNames)[number]

/** The field of each column; null for a column nobody knows. */
export type CsvColumns = readonly (CsvField | null)[]

/** Of each group at least one column is needed. */
const required: readonly (readonly CsvField[])[] = [
  ['deviceName', 'deviceNames'],
  ['productKey'],
  ['sourceInstanceId'],
  ['targetInstanceId', 'targetInstanceIds'],
]

const isField = (name: string): name is CsvField => fieldNames.some(field => field === name)

/** Columns of a header row. Throws one error that names everything missing or given twice. */
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
