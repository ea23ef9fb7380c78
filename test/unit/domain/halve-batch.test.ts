import fc from 'fast-check'
import { halveBatch } from '../../../src/domain/refusal'

const batchOf = (names: readonly string[]) =>
  names.map((deviceName, index) => ({ seq: BigInt(index + 1), deviceName, attempt: 1 }))

const distinct = (moves: readonly { readonly deviceName: string }[]): Set<string> =>
  new Set(moves.map(({ deviceName }) => deviceName))

describe('halveBatch', () => {
  it('halves by devices and keeps their order', () => {
    const { first, second, behind } = halveBatch(batchOf(['a', 'b', 'c']))
    expect([[...distinct(first)], [...distinct(second)], behind.size]).toEqual([['a', 'b'], ['c'], 0])
  })

  it('throws where there is one device only', () => {
    expect(() => halveBatch(batchOf(['a', 'a']))).toThrow('one device')
  })

  it('loses nothing, and no device is in both halves', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 2, maxLength: 12 })
    fc.assert(
      fc.property(names, given => {
        fc.pre(new Set(given).size > 1)
        const { first, second, behind } = halveBatch(batchOf(given))
        const seqs = [...first, ...second].map(({ seq }) => seq).concat([...behind.keys()])
        expect(seqs.sort((a, b) => Number(a - b))).toEqual(batchOf(given).map(({ seq }) => seq))
        expect([...distinct(first)].filter(name => distinct(second).has(name))).toEqual([])
        expect(Math.abs(distinct(first).size - distinct(second).size)).toBeLessThanOrEqual(1)
        for (const [seq, before] of behind) {
          const nameAt = (at: bigint) => given[Number(at) - 1]
          expect(nameAt(before)).toBe(nameAt(seq))
          expect(first.some(move => move.seq === before)).toBe(true)
        }
      }),
    )
  })
})
