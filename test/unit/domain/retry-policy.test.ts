import fc from 'fast-check'
import { retryDelayMs } from '../../../src/domain/retry-policy'

describe('the retry policy', () => {
  it('doubles the pause with every attempt', () => {
    expect(
      [1, 2, 3, 4].map(attempt => retryDelayMs(attempt, 1, { backoffMs: 30_000, backoffMaxMs: 3_600_000 })),
    ).toEqual([30_000, 60_000, 120_000, 240_000])
  })

  it('gives no pause longer than the cap', () => {
    expect(retryDelayMs(1, 1, { backoffMs: 5, backoffMaxMs: 10 })).toBe(5)
    expect(retryDelayMs(100_000, 1, { backoffMs: 5, backoffMaxMs: 10 })).toBe(10)
  })

  it('gives between half and the whole of the pause', () => {
    expect(
      [0, 0.5, 1].map(random => retryDelayMs(1, random, { backoffMs: 1_000, backoffMaxMs: 1_000 })),
    ).toEqual([500, 750, 1_000])
  })

  it('takes the random part off after the cap, so that capped pauses still differ', () => {
    const policy = { backoffMs: 30_000, backoffMaxMs: 3_600_000 }
    expect(retryDelayMs(1, 1, policy)).toBe(30_000)
    expect(retryDelayMs(20, 1, policy)).toBe(3_600_000)
    expect(retryDelayMs(20, 0, policy)).toBe(1_800_000)
  })

  it('gives a whole number of ms between half the first pause and the cap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (attempt, random, backoffMs, backoffMaxMs) => {
          const delayMs = retryDelayMs(attempt, random, { backoffMs, backoffMaxMs })
          expect(Number.isSafeInteger(delayMs)).toBe(true)
          expect(delayMs).toBeLessThanOrEqual(backoffMaxMs)
          expect(delayMs).toBeGreaterThanOrEqual(Math.floor(Math.min(backoffMs, backoffMaxMs) / 2))
        },
      ),
    )
  })
})
