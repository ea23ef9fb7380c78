import fc from 'fast-check'
import { anyJsonText, anyText, asBytes, damaged } from './json-text'

export const sentNames = ['meter-0001', 'meter-0002', 'meter-0003', 'meter-0004', 'm.t:r@0005'] as const

interface Row {
  /** JSON. */
  readonly name: string
  readonly code: string
}

const nameText = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...sentNames).map(name => JSON.stringify(name)) },
  { weight: 2, arbitrary: fc.constantFrom('"stranger-01"', '"METER-0001"', '" meter-0002 "', '17', 'null') },
  { weight: 1, arbitrary: anyJsonText },
)
const codeText = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(
      '200',
      '"200"',
      '200.0',
      '2e2',
      '500',
      '"iot.device.NotExistedDevice"',
      '"6206"',
    ),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '"2000"',
      '"０200"',
      '"２００"',
      '"200 OK"',
      '-200',
      '20',
      'true',
      'null',
      '""',
      '"0200"',
    ),
  },
  { weight: 1, arbitrary: anyJsonText },
)
const rows: fc.Arbitrary<readonly Row[]> = fc.array(fc.record({ name: nameText, code: codeText }), {
  maxLength: 8,
})

const nameKey = fc.constantFrom('DeviceName', 'deviceName', 'device_name', 'NAME', 'Device Name', '__proto__')
const codeKey = fc.constantFrom('Code', 'code', 'CODE', 'co-de', 'Status')

const objectText = (row: Row, name: string, code: string): string =>
  `{${JSON.stringify(name)}:${row.name},"Message":null,${JSON.stringify(code)}:${row.code}}`

const plain = (json: string): string => {
  const value: unknown = JSON.parse(json)
  return typeof value === 'string' ? value : json
}
const field = (text: string, delimiter: string): string =>
  /["\r\n]/.test(text) || text.includes(delimiter) ? `"${text.replaceAll('"', '""')}"` : text

const html = fc.constantFrom(
  '<html><body>200</body></html>',
  '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
)

/** A file in one of the forms that are read, as another writer may write it. */
const written: fc.Arbitrary<string> = fc
  .tuple(
    rows,
    nameKey,
    codeKey,
    fc.constantFrom('list', 'wrapped', 'lines', 'csv', 'csv;', 'tsv', 'mixed'),
    fc.constantFrom('\n', '\r\n', '\r'),
  )
  .map(([all, name, code, form, newline]) => {
    const objects = all.map(row => objectText(row, name, code))
    if (form === 'list') return `[${objects.join(',')}]`
    if (form === 'wrapped') return `{"Success":true,"Code":200,"Data":{"items":[${objects.join(',')}]}}`
    if (form === 'lines') return objects.join(newline)
    if (form === 'mixed') return `[${objects.join(newline)}]`
    const delimiter = { csv: ',', 'csv;': ';', tsv: '\t' }[form] ?? ','
    return [
      [name, code].join(delimiter),
      ...all.map(row =>
        [plain(row.name), plain(row.code)].map(text => field(text, delimiter)).join(delimiter),
      ),
    ].join(newline)
  })

/** Any content that the host of a result file may send. */
export const anyResultFile: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 10, arbitrary: asBytes(written) },
  { weight: 5, arbitrary: asBytes(damaged(written)) },
  { weight: 2, arbitrary: asBytes(anyJsonText) },
  { weight: 1, arbitrary: asBytes(anyText) },
  { weight: 1, arbitrary: html.map(text => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
)
