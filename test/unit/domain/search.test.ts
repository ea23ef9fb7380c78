import fc from 'fast-check'
import type { BatchMove, Search } from '../../../src/domain/job'
import { halveBatch } from '../../../src/domain/refusal'
import { carveBatch, decideOnPiece, drawNames, newSearch } from '../../../src/domain/search'
import { seeded } from '../../support/virtual-driver'

const half = () => 0.5
const decide = (search: Partial<Search>, devices: number) =>
  decideOnPiece({ ...newSearch(10_000), ...search }, devices, half).kind

const batchOf = (names: readonly string[]) =>
  names.map((deviceName, index) => ({ seq: BigInt(index + 1), deviceName, attempt: 1 }))

describe('decideOnPiece', () => {
  it('halves a piece, and fails a single device once anything of the search was accepted', () => {
    expect(decide({ hasAccepted: true, refusals: 9_999 }, 2)).toBe('halve')
    expect(decide({ hasAccepted: true, refusals: 9_999 }, 1)).toBe('fail')
    expect(decide({ hasAccepted: true, part: 'set-aside' }, 1)).toBe('fail')
    expect(decide({ hasAccepted: true, part: 'drawn', drawnLeft: 9 }, 1)).toBe('fail')
  })

  it('fails single devices of a batch of fewer than ten, though nothing was accepted', () => {
    expect(decideOnPiece(newSearch(9), 1, half).kind).toBe('fail')
    expect(decideOnPiece({ ...newSearch(9), refusals: 99 }, 2, half).kind).toBe('halve')
  })

  it('draws ten devices when 2·log2(n) refusals have accepted nothing, and before any device fails', () => {
    expect(decide({ refusals: 25 }, 2)).toBe('halve')
    expect(decide({ refusals: 26 }, 2)).toBe('draw')
    expect(decideOnPiece(newSearch(10), 1, half)).toEqual({ kind: 'draw', numbers: Array(10).fill(0.5) })
  })

  it('holds the search when the last drawn device is refused too', () => {
    expect(decide({ part: 'drawn', drawnLeft: 2 }, 1)).toBe('set-aside')
    expect(decide({ part: 'drawn', drawnLeft: 1 }, 1)).toBe('hold-search')
  })
})

interface Piece {
  readonly part: 'piece' | 'drawn'
  readonly moves: readonly BatchMove[]
  readonly from: object | null
}

/** Searches `n` devices as the journal does; the other half of an accepted piece is halved unsent. */
const playOut = (n: number, bad: ReadonlySet<string>, random: () => number) => {
  const all = batchOf(Array.from({ length: n }, (_, index) => `d${index}`))
  let pieces: Piece[] = [{ part: 'piece', moves: all, from: null }]
  let creates = 0
  let refusals = 0
  let hasAccepted = false
  const failed: string[] = []
  const halve = (from: Piece): void => {
    const { first, second } = halveBatch(from.moves)
    for (const moves of [first, second]) pieces.push({ part: 'piece', moves, from })
  }
  const draw = (from: Piece, numbers: readonly number[]): void => {
    const open = [from, ...pieces]
    const names = open.flatMap(({ moves }) => moves.map(({ deviceName }) => deviceName))
    const drawn = drawNames(names, numbers)
    const carved = open.flatMap(piece => carveBatch(piece.moves, drawn).parts)
    const parts = carved.map(
      ({ isDrawn, moves }): Piece => ({ part: isDrawn ? 'drawn' : 'piece', moves, from: {} }),
    )
    pieces = [
      ...parts.filter(({ part }) => part === 'drawn'),
      ...parts.filter(({ part }) => part === 'piece'),
    ]
  }
  for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
    const { part, moves, from } = piece
    creates += 1
    if (!moves.some(({ deviceName }) => bad.has(deviceName))) {
      hasAccepted = true
      const other = pieces.find(each => each.from === from)
      if (from === null || other === undefined || other.moves.length === 1) continue
      pieces = pieces.filter(each => each !== other)
      halve(other)
      continue
    }
    const drawnLeft = 1 + pieces.filter(each => each.part === 'drawn').length
    const search = { part, devices: n, refusals, hasAccepted, drawnLeft }
    const decision = decideOnPiece(search, moves.length, random)
    refusals += 1
    if (decision.kind === 'halve') halve(piece)
    else if (decision.kind === 'draw') draw(piece, decision.numbers)
    else if (decision.kind === 'set-aside') pieces.push(piece)
    else if (decision.kind === 'hold-search') throw new Error('held')
    else failed.push(...moves.map(({ deviceName }) => deviceName))
  }
  return { creates, failed }
}

describe('a search', () => {
  it.each([1, 4, 20, 100])('for %i bad devices in 10,000 fails exactly those, within its bound', k => {
    const n = 10_000
    const bound = Math.ceil(2 * k * Math.log2(n / k) + 2 * k)
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = seeded(seed)
      const bad = new Set<string>()
      while (bad.size < k) bad.add(`d${Math.floor(random() * n)}`)
      const { creates, failed } = playOut(n, bad, random)
      expect(new Set(failed)).toEqual(bad)
      expect(failed).toHaveLength(k)
      expect(creates).toBeLessThanOrEqual(bound)
    }
  })
})

describe('drawNames', () => {
  it('draws distinct names, as many as there are', () => {
    const names = ['a', 'b', 'c']
    expect([...drawNames(names, [0, 0, 0, 0])]).toEqual(names)
    expect(drawNames(names, [0.99, 0.99]).size).toBe(2)
  })
})

describe('carveBatch', () => {
  it('makes each drawn device a part of its own, loses no move, and puts no device in two parts', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(names, fc.subarray(['a', 'b', 'c', 'd', 'e']), (given, drawn) => {
        const { parts, behind } = carveBatch(batchOf(given), new Set(drawn))
        const seqs = parts.flatMap(({ moves }) => moves.map(({ seq }) => seq))
        expect(seqs).toEqual([...seqs].sort((a, b) => Number(a - b)))
        expect([...seqs, ...behind.keys()].sort((a, b) => Number(a - b))).toEqual(
          batchOf(given).map(({ seq }) => seq),
        )
        const devices = parts.map(({ moves }) => new Set(moves.map(({ deviceName }) => deviceName)))
        expect(devices.reduce((sum, { size }) => sum + size, 0)).toBe(new Set(given).size)
        for (const [at, { isDrawn }] of parts.entries()) {
          const [name = '', ...others] = devices[at] ?? []
          expect(isDrawn).toBe(drawn.includes(name))
          if (isDrawn) expect(others).toEqual([])
        }
        for (const [seq, before] of behind) {
          expect(given[Number(before) - 1]).toBe(given[Number(seq) - 1])
          expect(before < seq).toBe(true)
        }
      }),
    )
  })
})
