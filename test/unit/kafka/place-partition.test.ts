import { placeOf } from '../../../src/kafka/consumer/assignment'

describe('the place where a partition is read on', () => {
  const marks = { low: 10n, high: 20n }

  it.each([
    [undefined, { kind: 'as-committed' }],
    [10n, { kind: 'at', offset: 10n }],
    [15n, { kind: 'at', offset: 15n }],
    [20n, { kind: 'at', offset: 20n }],
    [7n, { kind: 'after-gap', offset: 10n, missing: 3n }],
    [21n, { kind: 'beyond-end' }],
  ])('for journal position %s is %o', (position, place) => {
    expect(placeOf(position, marks)).toEqual(place)
  })
})
