import fc from 'fast-check'
import {
  concernsRoute,
  decideOnRefusal,
  defaultRefusalPolicy,
  halveBatch,
  type Refusal,
} from '../../../src/domain/refusal'
import { newSearch } from '../../../src/domain/search'

const policy = defaultRefusalPolicy

const decide = (refusal: Partial<Refusal>, random = 1) =>
  decideOnRefusal(
    {
      kind: 'batch-refused',
      concernsRoute: false,
      refusals: 0,
      inARow: 1,
      splitRootRefusals: 0,
      search: newSearch(refusal.devices ?? 100),
      devices: 100,
      othersCreated: false,
      aloneInAccount: false,
      ...refusal,
    },
    policy,
    () => random,
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

  it('searches a batch for the devices that are refused', () => {
    expect(decide({ devices: 10_000 })).toEqual({ kind: 'halve' })
    expect(decide({ devices: 2 })).toEqual({ kind: 'halve' })
    expect(decide({ devices: 1 })).toEqual({ kind: 'fail' })
  })

  it('holds the route when the code concerns it, however few devices the batch has', () => {
    expect(decide({ concernsRoute: true })).toEqual({ kind: 'hold-route' })
    expect(decide({ concernsRoute: true, devices: 1 })).toEqual({ kind: 'hold-route' })
    const unknown = { kind: 'unknown', refusals: 4, concernsRoute: true, othersCreated: true } as const
    expect(decide(unknown)).toEqual({ kind: 'hold' })
  })

  it('waits for the account when the account is refused, and fails no device', () => {
    expect(decide({ kind: 'account-refused', devices: 1, refusals: 99, splitRootRefusals: 99 })).toEqual({
      kind: 'wait-for-account',
    })
  })
})

describe('concernsRoute', () => {
  it.each([
    ['iot.system.InstanceNotFound', true],
    ['iot.Sre.IotInstanceNotFound', true],
    ['iot.system.UidNotFound', true],
    ['iot.prod.NotExistedProduct', true],
    ['iot.common.APINotSupportedInInstance', true],
    ['iot.common.AuthActionPermissionDeny', false],
    ['iot.device.NotExistedDevice', false],
    ['iot.check.AnyParameter', false],
  ])('says of %s: %s', (code, expected) => {
    expect(concernsRoute(code)).toBe(expected)
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
