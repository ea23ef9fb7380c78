import fc from 'fast-check'
import { parseResultFile } from '../../../src/iot/results/parse-result-file'

const sent = ['meter-1', 'meter-2', 'meter-3']
const parse = (text: string | Uint8Array, names: readonly string[] = sent) =>
  parseResultFile(typeof text === 'string' ? Buffer.from(text) : text, names)
const codes = (text: string) => {
  const parsed = parse(text)
  return 'rows' in parsed
    ? Object.fromEntries(Array.from(parsed.rows, ([name, row]) => [name, row.code]))
    : parsed.problem
}
const twoRows = { 'meter-1': '200', 'meter-2': 'iot.device.X' }

describe('reading a result file', () => {
  it.each([
    ['JSON list', '[{"DeviceName":"meter-1","Code":200},{"DeviceName":"meter-2","Code":"iot.device.X"}]'],
    [
      'JSON list, other keys',
      '[{"device_name":"meter-1","CODE":"200"},{"name":"meter-2","code":"iot.device.X"}]',
    ],
    [
      'JSON list with strange items',
      '[null,1,"x",[],{"device":"meter-1","code":200},{"DEVICE-NAME":"meter-2","Code":"iot.device.X"}]',
    ],
    [
      'wrapped list',
      '{"Code":200,"Data":{"items":[{"DeviceName":"meter-1","Code":200},{"DeviceName":"meter-2","Code":"iot.device.X"}]}}',
    ],
    [
      'pretty JSON',
      `\n${JSON.stringify(
        [
          { DeviceName: 'meter-1', Code: 200 },
          { DeviceName: 'meter-2', Code: 'iot.device.X' },
        ],
        null,
        2,
      )}\n`,
    ],
    ['JSON lines', '{"DeviceName":"meter-1","Code":200}\n{"DeviceName":"meter-2","Code":"iot.device.X"}\n'],
    [
      'JSON lines, CRLF and blank lines',
      '{"DeviceName":"meter-1","Code":200}\r\n\r\n{"DeviceName":"meter-2","Code":"iot.device.X"}',
    ],
    ['CSV', 'DeviceName,Code,Message\nmeter-1,200,\nmeter-2,iot.device.X,"no, ""not"" found"\n'],
    ['CSV, CRLF and byte order mark', '\ufeffdevice_name,code\r\nmeter-1,200\r\nmeter-2,iot.device.X\r\n'],
    ['CSV, semicolons', 'Code;Device Name\n200;meter-1\niot.device.X;meter-2'],
    ['CSV, tabs', 'Code\tDevice Name\n200\tmeter-1\niot.device.X\tmeter-2'],
    ['CSV, a quoted line break', 'DeviceName,Reason,Code\nmeter-1,"a\nb",200\nmeter-2,,iot.device.X'],
    [
      'a row of the product, and of others',
      '[{"ProductKey":"a1","Code":200},{"DeviceName":"stranger","Code":1},{"DeviceName":"meter-1","Code":200},{"DeviceName":"meter-2","Code":"iot.device.X"}]',
    ],
    [
      'rows without a code',
      '[{"DeviceName":"meter-3"},{"DeviceName":"meter-3","Code":null},{"DeviceName":"meter-3","Code":" "},{"DeviceName":"meter-1","Code":200},{"DeviceName":"meter-2","Code":"iot.device.X"}]',
    ],
  ])('gives the code of each device: %s', (_, text) => {
    expect(codes(text)).toEqual(twoRows)
  })

  it('takes an object on a single line as a row, even with a list among its fields', () => {
    expect(codes('{"DeviceName":"meter-1","Code":200}')).toEqual({ 'meter-1': '200' })
    expect(codes('{"DeviceName":"meter-1","Code":200,"Tags":["a"]}')).toEqual({ 'meter-1': '200' })
  })

  it('prefers "moved" to another row of the same device', () => {
    expect(codes('[{"name":"meter-1","code":500},{"name":"meter-1","code":200}]')).toEqual({
      'meter-1': '200',
    })
    expect(codes('[{"name":"meter-1","code":200},{"name":"meter-1","code":500}]')).toEqual({
      'meter-1': '200',
    })
  })

  it('keeps each message as one line', () => {
    const parsed = parse(
      '[{"name":"meter-1","code":"E","errorMessage":"two\\nlines\\u0000"},{"name":"meter-2","code":200,"msg":""}]',
    )
    expect('rows' in parsed ? [...parsed.rows.values()] : parsed).toEqual([
      { code: 'E', message: 'two lines' },
      { code: '200', message: null },
    ])
  })

  it('distinguishes names by case', () => {
    expect(codes('[{"name":"Meter-1","code":500},{"name":"meter-1","code":200}]')).toEqual({
      'meter-1': '200',
    })
  })

  it('goes on past bytes that are not UTF-8', () => {
    const csv = Buffer.concat([
      Buffer.from('name,code,msg\nmeter-1,200,'),
      Buffer.from([0xc4, 0xe3]),
      Buffer.from('\n'),
    ])
    expect(parse(csv)).toMatchObject({
      rows: new Map([['meter-1', expect.objectContaining({ code: '200' })]]),
    })
  })

  it('gives back what was written, in every format', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_@.:-]{4,32}$/)
    const rows = fc.dictionary(name, fc.constantFrom('200', '500', 'iot.device.X'), {
      minKeys: 1,
      maxKeys: 20,
    })
    fc.assert(
      fc.property(rows, expected => {
        const records = Object.entries(expected).map(([DeviceName, Code]) => ({ DeviceName, Code }))
        const files = [
          JSON.stringify(records),
          JSON.stringify({ Data: records }),
          records.map(record => JSON.stringify(record)).join('\n'),
          ['DeviceName,Code', ...records.map(record => `${record.DeviceName},${record.Code}`)].join('\r\n'),
        ]
        for (const file of files) {
          const parsed = parse(file, Object.keys(expected))
          expect('rows' in parsed && Array.from(parsed.rows, ([device, row]) => [device, row.code])).toEqual(
            Object.entries(expected),
          )
        }
      }),
    )
  })
})

describe('a result file without a row', () => {
  it.each([
    ['no bytes: lines without one', ''],
    ['blank', ' \r\n\ufeff'],
    ['JSON list', ' [ ]\n'],
    ['CSV, the header alone', 'ProductKey,DeviceName,Code,Message\r\n'],
  ])('is empty: %s', (_, text) => {
    expect(parse(text)).toEqual({ kind: 'empty', problem: 'the file has no rows' })
  })

  it.each([
    ['a sentence', 'The device name was not found'],
    ['another header', 'name,value'],
    ['an object', '{"Code":200,"Message":"ok"}'],
    ['a list of something else', '[null]'],
  ])('is not %s', (_, text) => {
    expect(parse(text)).toMatchObject({ kind: 'unreadable' })
  })
})

describe('a file that is no result file', () => {
  it.each([
    ['HTML', '<!doctype html><p>502</p>', 'HTML or XML'],
    ['XML', '\ufeff<?xml version="1.0"?><Error/>', 'HTML or XML'],
    ['a truncated list', '[{"DeviceName":"meter-1","Code":200},{"DeviceN', 'truncated'],
    [
      'truncated pretty JSON',
      '{\n  "Data": [\n    {"DeviceName":"meter-1","Code":200},',
      'line 1 is not JSON',
    ],
    [
      'JSON lines with a broken last line',
      '{"DeviceName":"meter-1","Code":200}\n{"Devi',
      'line 2 is not JSON',
    ],
    ['CSV with a broken last line', 'DeviceName,Code\nmeter-1,200\nmete', 'columns length'],
    ['CSV with an open quote', 'DeviceName,Code\nmeter-1,200\nmeter-2,"20', 'uote'],
    ['CSV without a header', 'meter-1,200\nmeter-2,200\n', 'no row'],
    ['only other devices', '[{"DeviceName":"stranger","Code":200}]', 'no row'],
    ['no code', '[{"DeviceName":"meter-1","Status":200}]', 'no row'],
    ['an empty list', '[]', 'no row'],
    ['a number', '200', 'no row'],
    ['wrong types', '{"Data":{"DeviceName":["meter-1"],"Code":{"a":1}}}', 'no row'],
    ['prose', 'The job was completed.', 'no row'],
  ])('gives its problem: %s', (_, text, problem) => {
    expect(parse(text)).toMatchObject({ problem: expect.stringContaining(problem) })
  })

  it.each([
    ['JSON lines', '{}\n'.repeat(100_001)],
    ['a list', `[${'{},'.repeat(100_000)}{}]`],
    ['a wrapped list', `{"items":[${'{},'.repeat(100_000)}{}]}`],
    ['CSV', `a,b${'\n1,2'.repeat(100_001)}`],
  ])('may have more records than ten jobs have devices: %s', (_, text) => {
    expect(parse(text)).toMatchObject({ problem: 'more than 100000 records' })
  })

  it('may have a record above 100 kB', () => {
    expect(parse('x'.repeat(200_000))).toMatchObject({ problem: expect.stringContaining('Max Record Size') })
  })

  it('throws nothing, whatever its bytes are', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), body => void parseResultFile(body, sent)))
    fc.assert(fc.property(fc.json(), text => void parse(text)))
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('"', ',', '\n', '\r', 'meter-1', '200', '{', '[', '}', ']', ':')),
        pieces => {
          parse(pieces.join(''))
        },
      ),
    )
  })

  it('may be a result file that was cut anywhere inside its last row', () => {
    const lines = '{"DeviceName":"meter-1","Code":200}\n{"DeviceName":"meter-2","Code":200}'
    const list = '[{"DeviceName":"meter-1","Code":200},{"DeviceName":"meter-2","Code":200}]'
    for (let cut = 37; cut < lines.length; cut += 1)
      expect(parse(lines.slice(0, cut))).toHaveProperty('problem')
    for (let cut = 1; cut < list.length; cut += 1) expect(parse(list.slice(0, cut))).toHaveProperty('problem')
  })
})
