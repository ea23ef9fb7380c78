import fc from 'fast-check'
import { createLearntMean, overdueAfterMs, pollIntervalMs } from '../../../src/domain/job-length'

describe('pollIntervalMs', () => {
  it('gives 1.4 Lists for each job that ends while all slots are busy', () => {
    expect(pollIntervalMs({ meanJobMs: 60_000, oldestOpenAgeMs: 90_000, slots: 10 })).toBe(4_286)
    expect(pollIntervalMs({ meanJobMs: 300_000, oldestOpenAgeMs: 0, slots: 10 })).toBe(21_429)
  })

  it('takes a job to last 30 s before one has ended, and longer once one has been open for longer', () => {
    const paces = [null, 0, 10_000, 30_000, 60_000, 280_000].map(oldestOpenAgeMs =>
      pollIntervalMs({ meanJobMs: null, oldestOpenAgeMs, slots: 10 }),
    )
    expect(paces).toEqual([1_000, 1_000, 2_143, 2_143, 4_286, 20_000])
  })

  it('is so short that a single slot does not stand idle for long', () => {
    expect(pollIntervalMs({ meanJobMs: 7_000, oldestOpenAgeMs: 0, slots: 1 })).toBe(1_000)
    expect(pollIntervalMs({ meanJobMs: null, oldestOpenAgeMs: 1_000, slots: 1 })).toBe(1_000)
    expect(pollIntervalMs({ meanJobMs: null, oldestOpenAgeMs: 6_000, slots: 1 })).toBe(3_000)
  })

  it('stays between 200 ms and 30 s', () => {
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

describe('overdueAfterMs', () => {
  it('is a multiple of the usual time, and at least half an hour', () => {
    const minute = 60_000
    expect(overdueAfterMs(5 * minute, 10)).toBe(50 * minute)
    expect(overdueAfterMs(3 * minute, 10)).toBe(30 * minute)
    expect(overdueAfterMs(1_000, 10)).toBe(30 * minute)
    expect(overdueAfterMs(5 * minute, 2)).toBe(30 * minute)
  })

  it('takes a job to last 30 s before one has ended', () => {
    expect(overdueAfterMs(null, 10)).toBe(30 * 60_000)
    expect(overdueAfterMs(null, 100)).toBe(50 * 60_000)
  })
})

describe('createLearntMean', () => {
  it('starts with the known mean, or with the first value', () => {
    expect(createLearntMean(null).meanMs()).toBeNull()
    expect(createLearntMean(40).meanMs()).toBe(40)
    const mean = createLearntMean(null)
    mean.learn(10)
    mean.learn(20)
    expect(mean.meanMs()).toBe(15)
  })

  it('follows a change of pace within twenty values', () => {
    const mean = createLearntMean(1_000)
    for (let each = 0; each < 100; each += 1) mean.learn(1_000)
    for (let each = 0; each < 20; each += 1) mean.learn(100)
    expect(mean.meanMs()).toBeLessThan(250)
  })
})
