import { type FileFormat, renderResultFile } from '../../../src/tools/simulator/result-file'

const rows = [
  { deviceName: 'meter-1', code: '200', message: 'success' },
  { deviceName: 'meter-2', code: 'iot.x', message: 'a, "b"' },
]
const render = (format: Partial<FileFormat>) =>
  renderResultFile({ layout: 'json', codes: 'number', keys: 'pascal', ...format }, 'a1P', rows)

describe('a result file of the simulator', () => {
  it('is a JSON array', () =>
    expect(JSON.parse(render({}))).toEqual([
      { ProductKey: 'a1P', DeviceName: 'meter-1', Code: 200, Message: 'success' },
      { ProductKey: 'a1P', DeviceName: 'meter-2', Code: 'iot.x', Message: 'a, "b"' },
    ]))

  it('is one JSON object a line', () => {
    const lines = render({ layout: 'ndjson' }).split('\n')
    expect(lines).toHaveLength(3)
    expect(lines.slice(0, 2).map(line => (JSON.parse(line) as { DeviceName: string }).DeviceName)).toEqual([
      'meter-1',
      'meter-2',
    ])
  })

  it('is CSV with a header and quotes where needed', () =>
    expect(render({ layout: 'csv', keys: 'camel' })).toBe(
      'productKey,deviceName,code,message\r\na1P,meter-1,200,success\r\na1P,meter-2,iot.x,"a, ""b"""\r\n',
    ))

  it('spells its keys and codes as its format says', () =>
    expect(JSON.parse(render({ keys: 'lower', codes: 'text' }))[0]).toEqual({
      productkey: 'a1P',
      devicename: 'meter-1',
      code: '200',
      message: 'success',
    }))
})
