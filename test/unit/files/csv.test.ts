import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { csvCells, csvColumns, csvRequest } from '../../../src/files/read-csv'

const header = ['deviceName', 'productKey', 'sourceInstanceId', 'targetInstanceId']

describe('the header row of a CSV file', () => {
  it('may have its columns in any order, with spaces around them, and unknown ones among them', () => {
    const columns = csvColumns(
      ['site', ' targetInstanceIds', 'sourceInstanceId ', 'productKey', 'deviceNames'],
      'f',
    )
    expect(columns).toEqual([null, 'targetInstanceIds', 'sourceInstanceId', 'productKey', 'deviceNames'])
  })

  it('may have every field of the published schema for a column', () => {
    const schema = JSON.parse(
      readFileSync(join(__dirname, '../../../schemas/move-request.schema.json'), 'utf8'),
    )
    const fields = Object.keys(schema.properties)
    expect(csvColumns(fields, 'f')).toEqual(fields)
  })

  it('is refused with all columns that are missing or repeated', () => {
    expect(() => csvColumns(['priority', 'strategy', 'priority'], 'fleet.csv')).toThrow(
      'fleet.csv: the header row has no column deviceName or deviceNames, no column productKey, ' +
        'no column sourceInstanceId, no column targetInstanceId or targetInstanceIds, column priority more than once',
    )
  })

  it('is refused with a hint at commas if it has one column only', () => {
    expect(() => csvColumns([header.join(';')], 'f')).toThrow('cells are separated by commas')
  })
})

describe('a line of a CSV file', () => {
  it.each([
    ['a,b,,', ['a', 'b', '', '']],
    ['a,"b,c","d ""e"""', ['a', 'b,c', 'd "e"']],
  ])('is split into its cells: %s', (line, cells) => {
    expect(csvCells(line)).toEqual({ cells })
  })

  it.each([
    ['a,"b,c', 'a quote is not closed on its line'],
    ['a,b"c,d', 'a quote stands inside a cell'],
    ['a,"b"c,d', 'a quote stands inside a cell'],
  ])('is refused with what is wrong: %s', (line, problem) => {
    expect(csvCells(line)).toEqual({ problem })
  })
})

describe('the request of a CSV row', () => {
  it('has lists, numbers and absent fields made of its cells, and is not checked', () => {
    const columns = csvColumns(
      [...header.slice(0, 3), 'targetInstanceIds', 'deviceNames', 'strategy', 'targetUid'],
      'f',
    )
    expect(csvRequest(columns, ['', 'p', 's', 'iot-a|iot-b', 'm-1|m-2', '1', '1984'])).toEqual({
      productKey: 'p',
      sourceInstanceId: 's',
      targetInstanceIds: ['iot-a', 'iot-b'],
      deviceNames: ['m-1', 'm-2'],
      strategy: 1,
      targetUid: '1984',
    })
    expect(csvRequest(columns, ['', '', '', '', '', 'one', ''])).toEqual({ strategy: 'one' })
  })
})
