import { mergeRows } from '../../../src/domain/device-results'

const rows = (codes: Readonly<Record<string, string>>) =>
  new Map(Object.entries(codes).map(([name, code]) => [name, { code, message: null }]))

describe('mergeRows', () => {
  it('adds up two files, the newer one counting', () => {
    const merged = mergeRows(rows({ a: 'old', b: 'old' }), rows({ b: 'new', c: 'new' }))
    expect(merged).toEqual(rows({ a: 'old', b: 'new', c: 'new' }))
  })

  it('never forgets that a device has moved', () => {
    expect(mergeRows(rows({ a: '200' }), rows({ a: 'iot.made.up' }))).toEqual(rows({ a: '200' }))
    expect(mergeRows(rows({ a: 'iot.made.up' }), rows({ a: '200' }))).toEqual(rows({ a: '200' }))
  })
})
