import fc from 'fast-check'
import { pollIntervalMs } from '../../../src/domain/poll-interval'

describe('pollIntervalMs', () => {
  it('looks 1.4 times a mean job and slot', () => {
    expect(pollIntervalMs({ meanJobMs: 60_000, oldestOpenAgeMs: 90_000, slots: 10 })).toBe(4_286)
    expect(pollIntervalMs({ meanJobMs: 300_000, oldestOpenAgeMs: 0, slots: 10 })).toBe(21_429)
  })

  it('guesses 30 s before a job has ended, and more once one has been open for longer', () => {
    const paces = [null, 0, 10_000, 30_000, 60_000, 280_000].map(oldestOpenAgeMs =>
      pollIntervalMs({ meanJobMs: null, oldestOpenAgeMs, slots: 10 }),
    )
    expect(paces).toEqual([1_000, 1_000, 2_143, 2_143, 4_286, 20_000])
  })

  it('looks often enough where there is only one slot to stand idle', () => {
    expect(pollIntervalMs({ meanJobMs: 7_000, oldestOpenAgeMs: 0, slots: 1 })).toBe(1_000)
    expect(pollIntervalMs({ meanJobMs: null, oldestOpenAgeMs: 1_000, slots: 1 })).toBe(1_000)
    expect(pollIntervalMs({ meanJobMs: null, oldestOpenAgeMs: 6_000, slots: 1 })).toBe(3_000)
  })

  it('keeps between 200 ms and 30 s', () => {
    fc.assert(
      fc.property(
        fc.option(fc.nat()),
        fc.option(fc.nat()),
        fc.integer({ min: 0, max: 100 }),
        (meanJobMs, oldestOpenAgeMs, slots) => {
          const intervalMs = pollIntervalMs({ meanJobMs, oldestOpenAgeMs, slots })
          expect(intervalMs).toBeGreaterThanOrEqual(200)
          expect(intervalMs).toBeLessThanOrEqual(30_000)
        },
      ),
    )
    expect(pollIntervalMs({ meanJobMs: 10, oldestOpenAgeMs: null, slots: 10 })).toBe(200)
    expect(pollIntervalMs({ meanJobMs: 86_400_000, oldestOpenAgeMs: null, slots: 10 })).toBe(30_000)
  })
})
