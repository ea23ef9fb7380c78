import fc from 'fast-check'
import { decideOnRefusal, defaultRefusalPolicy, type Refusal } from '../../../src/domain/refusal'

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
    'sends a %s batch again for ever, backing off',
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

  it('jitters the pauses', () => {
    expect(decide({ kind: 'throttled', inARow: 1_000 }, 0)).toMatchObject({ afterMs: 15_000 })
  })

  it('sends an unknown code again, counted, until others are created; then halves, or holds, and never fails', () => {
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

  it('halves a batch refused for good, down to one device', () => {
    expect(decide({ devices: 10_000 })).toEqual({ kind: 'split' })
    expect(decide({ devices: 2 })).toEqual({ kind: 'split' })
    expect(decide({ devices: 1 })).toEqual({ kind: 'fail' })
  })

  it('does not halve where the code concerns the route', () => {
    expect(decide({ concernsRoute: true })).toEqual({ kind: 'fail' })
    const unknown = { kind: 'unknown', refusals: 4, concernsRoute: true, othersCreated: true } as const
    expect(decide(unknown)).toEqual({ kind: 'hold' })
  })

  it('stops driving when the account is refused, at the cost of no device', () => {
    expect(decide({ kind: 'account-refused', devices: 1, refusals: 99, splitRootRefusals: 99 })).toEqual({
      kind: 'wait-for-account',
    })
  })

  /** Creates, halves and fails until nothing is left; says what that cost. */
  const playOut = (devices: number, bad: ReadonlySet<number>) => {
    let creates = 0
    let familyRefusals = 0
    let moved = 0
    const open = [{ from: 0, to: devices, refusals: 0 }]
    for (let batch = open.shift(); batch !== undefined; batch = open.shift()) {
      const { from, to, refusals } = batch
      creates += 1
      if (![...bad].some(device => device >= from && device < to)) {
        moved += to - from
        continue
      }
      const decision = decide({ devices: to - from, refusals, splitRootRefusals: familyRefusals })
      familyRefusals += 1
      const middle = from + Math.ceil((to - from) / 2)
      if (decision.kind === 'split')
        open.push({ from, to: middle, refusals: refusals + 1 }, { from: middle, to, refusals: refusals + 1 })
    }
    return { creates, moved }
  }

  it('finds one bad device among 10,000 within its budget, whichever it is', () => {
    fc.assert(
      fc.property(fc.nat({ max: 9_999 }), bad => {
        const { creates, moved } = playOut(10_000, new Set([bad]))
        expect(moved).toBe(9_999)
        expect(creates).toBeLessThanOrEqual(29)
      }),
    )
  })

  it('ends, and soon, when every device is bad', () => {
    const { creates, moved } = playOut(10_000, new Set(Array.from({ length: 10_000 }, (_, device) => device)))
    expect(moved).toBe(0)
    expect(creates).toBeLessThanOrEqual(2 * policy.splitBudget)
  })
})
