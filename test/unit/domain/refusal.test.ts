import fc from 'fast-check'
import { decideOnRefusal, defaultRefusalPolicy, halveBatch, type Refusal } from '../../../src/domain/refusal'

const policy = defaultRefusalPolicy

const decide = (refusal: Partial<Refusal>, random = 1) =>
  decideOnRefusal(
    {
      kind: 'batch-refused',
      concernsRoute: false,
      refusals: 0,
      inARow: 1,
      splitRootRefusals: 0,
      devices: 100,
      othersCreated: false,
      aloneInAccount: false,
      ...refusal,
    },
    policy,
    random,
  )

describe('decideOnRefusal', () => {
  it.each(['throttled', 'slots-full', 'not-sent'] as const)(
    'sends a batch refused as %s again without end, at pauses that grow to 30 s',
    kind => {
      const pauses = [1, 2, 3, 4, 5, 6, 1_000].map(inARow => decide({ kind, inARow, refusals: 99 }))
      expect(pauses).toEqual(
        [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].map(afterMs => ({
          kind: 'again',
          afterMs,
          counted: false,
        })),
      )
    },
  )

  it('shortens the pauses at random by up to half', () => {
    expect(decide({ kind: 'throttled', inARow: 1_000 }, 0)).toMatchObject({ afterMs: 15_000 })
  })

  it('sends a batch with an unrecognised code again until others are created, then halves or holds it', () => {
    const kinds = (more: Partial<Refusal>) =>
      [3, 4, 8, 9, 1_000].map(refusals => decide({ kind: 'unknown', refusals, ...more }).kind)
    expect(kinds({})).toEqual(['again', 'again', 'again', 'again', 'again'])
    expect(kinds({ othersCreated: true })).toEqual(['again', 'split', 'split', 'split', 'split'])
    expect(kinds({ aloneInAccount: true })).toEqual(['again', 'again', 'again', 'split', 'split'])
    expect(kinds({ othersCreated: true, devices: 1 })).toEqual(['again', 'hold', 'hold', 'hold', 'hold'])
    expect(kinds({ othersCreated: true, splitRootRefusals: 99 })).toContain('hold')
    expect(decide({ kind: 'unknown', refusals: 3 })).toEqual({
      kind: 'again',
      afterMs: 80_000,
      counted: true,
    })
  })

  it('halves a batch that is refused for good, and fails it when it has one device', () => {
    expect(decide({ devices: 10_000 })).toEqual({ kind: 'split' })
    expect(decide({ devices: 2 })).toEqual({ kind: 'split' })
    expect(decide({ devices: 1 })).toEqual({ kind: 'fail' })
  })

  it('does not halve a batch when the code concerns the route', () => {
    expect(decide({ concernsRoute: true })).toEqual({ kind: 'fail' })
    const unknown = { kind: 'unknown', refusals: 4, concernsRoute: true, othersCreated: true } as const
    expect(decide(unknown)).toEqual({ kind: 'hold' })
  })

  it('waits for the account when the account is refused, and fails no device', () => {
    expect(decide({ kind: 'account-refused', devices: 1, refusals: 99, splitRootRefusals: 99 })).toEqual({
      kind: 'wait-for-account',
    })
  })

  /** Creates, halves and fails batches until none is left. Returns the numbers of creates and of moved devices. */
  const playOut = (devices: number, bad: ReadonlySet<number>) => {
    let creates = 0
    let splitRootRefusals = 0
    let moved = 0
    const open = [{ from: 0, to: devices, refusals: 0 }]
    for (let batch = open.shift(); batch !== undefined; batch = open.shift()) {
      const { from, to, refusals } = batch
      creates += 1
      if (![...bad].some(device => device >= from && device < to)) {
        moved += to - from
        continue
      }
      const decision = decide({ devices: to - from, refusals, splitRootRefusals })
      splitRootRefusals += 1
      const middle = from + Math.ceil((to - from) / 2)
      if (decision.kind === 'split')
        open.push({ from, to: middle, refusals: refusals + 1 }, { from: middle, to, refusals: refusals + 1 })
    }
    return { creates, moved }
  }

  it('finds any one bad device among 10,000 with at most 29 creates', () => {
    fc.assert(
      fc.property(fc.nat({ max: 9_999 }), bad => {
        const { creates, moved } = playOut(10_000, new Set([bad]))
        expect(moved).toBe(9_999)
        expect(creates).toBeLessThanOrEqual(29)
      }),
    )
  })

  it('ends within twice its budget of creates when every device is bad', () => {
    const { creates, moved } = playOut(10_000, new Set(Array.from({ length: 10_000 }, (_, device) => device)))
    expect(moved).toBe(0)
    expect(creates).toBeLessThanOrEqual(2 * policy.splitBudget)
  })
})

const batchOf = (names: readonly string[]) =>
  names.map((deviceName, index) => ({ seq: BigInt(index + 1), deviceName, attempt: 1 }))

const distinct = (moves: readonly { readonly deviceName: string }[]): Set<string> =>
  new Set(moves.map(({ deviceName }) => deviceName))

describe('halveBatch', () => {
  it('halves a batch by devices and keeps their order', () => {
    const { first, second, behind } = halveBatch(batchOf(['a', 'b', 'c']))
    expect([[...distinct(first)], [...distinct(second)], behind.size]).toEqual([['a', 'b'], ['c'], 0])
  })

  it('throws for a batch of one device', () => {
    expect(() => halveBatch(batchOf(['a', 'a']))).toThrow('one device')
  })

  it('loses no move and puts no device in both halves', () => {
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
