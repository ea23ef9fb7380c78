import { compareOutcomes } from '../../../src/domain/compare-outcomes'
import type { Verdict } from '../../../src/domain/outcome'

const moves = ['dev1', 'dev2', 'dev3'].map((deviceName, index) => ({
  seq: BigInt(index + 1),
  deviceName,
  attempt: 1,
}))
const moved = (seq: bigint): Verdict => ({
  seq,
  outcome: 'moved',
  final: true,
  code: '200',
  message: null,
  retryInMs: null,
})
const failed = (seq: bigint, code: string, retryInMs: number | null = null): Verdict => ({
  seq,
  outcome: 'failed',
  final: retryInMs === null,
  code,
  message: null,
  retryInMs,
})

describe('compareOutcomes', () => {
  it('finds no difference in messages and delays', () => {
    const stored = [moved(1n), failed(2n, 'b'), failed(3n, 'a', 5)]
    const derived = [{ ...moved(1n), message: 'looked up' }, failed(2n, 'b'), failed(3n, 'a', 6)]
    expect(compareOutcomes(moves, stored, derived)).toEqual({
      counts: [
        { outcome: 'moved', final: true, code: '200', stored: 1, derived: 1 },
        { outcome: 'failed', final: false, code: 'a', stored: 1, derived: 1 },
        { outcome: 'failed', final: true, code: 'b', stored: 1, derived: 1 },
      ],
      differences: [],
    })
  })

  it('names moves whose derived ending differs, even if only one of the two endings is final', () => {
    const { counts, differences } = compareOutcomes(
      moves,
      [moved(1n), failed(2n, 'a', 5), failed(3n, 'unknown')],
      [moved(1n), failed(2n, 'a'), moved(3n)],
    )
    expect(differences).toEqual([
      {
        deviceName: 'dev2',
        attempt: 1,
        stored: { outcome: 'failed', final: false, code: 'a' },
        derived: { outcome: 'failed', final: true, code: 'a' },
      },
      {
        deviceName: 'dev3',
        attempt: 1,
        stored: { outcome: 'failed', final: true, code: 'unknown' },
        derived: { outcome: 'moved', final: true, code: '200' },
      },
    ])
    expect(counts).toContainEqual({ outcome: 'moved', final: true, code: '200', stored: 1, derived: 2 })
    expect(counts).toContainEqual({ outcome: 'failed', final: true, code: 'unknown', stored: 1, derived: 0 })
  })

  it('reports that nothing is stored for a job that is not settled', () => {
    const { differences } = compareOutcomes(moves, [], [moved(1n), moved(2n), moved(3n)])
    expect(differences.map(({ stored }) => stored)).toEqual([null, null, null])
  })
})
