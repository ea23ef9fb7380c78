import { table } from '../../../src/commands/table'

describe('a table', () => {
  it('has columns as wide as their widest cell, with numbers and their headings to the right', () => {
    expect(
      table([
        ['route', 'pending', 'eta'],
        ['a-long-one', 1_234_567, 'held'],
        ['b', 0, ''],
      ]),
    ).toEqual(['route         pending  eta', 'a-long-one  1,234,567  held', 'b                   0'])
  })

  it('has columns of a least width, and text in a column of numbers to the right', () => {
    expect(
      table(
        [
          ['calls', 7.25],
          ['ratio', '-'],
        ],
        [0, 6],
      ),
    ).toEqual(['calls     7.3', 'ratio       -'])
  })

  it('has no line without a row', () => {
    expect(table([])).toEqual([])
  })
})
