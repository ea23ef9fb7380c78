import { csvCells, csvColumns, csvRequest } from '../../../src/files/read-csv'

const header = ['deviceName', 'productKey', 'sourceInstanceId', 'targetInstanceId']

describe('csvColumns', () => {
  it('takes columns in any order, with spaces around, and ignores unknown ones', () => {
    const columns = csvColumns(
      ['site', ' targetInstanceIds', 'sourceInstanceId ', 'productKey', 'deviceNames'],
      'f',
    )
    expect(columns).toEqual([null, 'targetInstanceIds', 'sourceInstanceId', 'productKey', 'deviceNames'])
  })

  it('names everything that is missing or repeated at once', () => {
    expect(() => csvColumns(['priority', 'strategy', 'priority'], 'fleet.csv')).toThrow(
      'fleet.csv: the header row has no column deviceName or deviceNames, no column productKey, ' +
        'no column sourceInstanceId, no column targetInstanceId or targetInstanceIds, column priority more than once',
    )
  })

  it('hints at commas where there is one column', () => {
    expect(() => csvColumns([header.join(';')], 'f')).toThrow('cells are separated by commas')
  })
})

describe('csvCells', () => {
  it.each([
    ['a,b,,', ['a', 'b', '', '']],
    ['a,"b,c","d ""e"""', ['a', 'b,c', 'd "e"']],
  ])('splits %s', (line, cells) => {
    expect(csvCells(line)).toEqual({ cells })
  })

  it.each([
    ['a,"b,c', 'a quote is not closed on its line'],
    ['a,b"c,d', 'a quote stands inside a cell'],
    ['a,"b"c,d', 'a quote stands inside a cell'],
  ])('says what is wrong with %s', (line, problem) => {
    expect(csvCells(line)).toEqual({ problem })
  })
})

describe('csvRequest', () => {
  it('makes lists, numbers and absent fields of cells, and checks nothing', () => {
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
