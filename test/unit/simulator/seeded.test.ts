import { createFaults } from '../../../src/tools/simulator/faults'
import { drawFate } from '../../../src/tools/simulator/job-fate'
import { type SimulatorOptions, withDefaults } from '../../../src/tools/simulator/options'
import { chance, createRandom, logNormal } from '../../../src/tools/simulator/random'

const many = Array.from({ length: 2_000 }, (_, i) => i)
const shareOf = (hits: readonly boolean[]) => hits.filter(Boolean).length / hits.length

describe('what the simulator’s seed decides', () => {
  const fates = (options: Partial<SimulatorOptions>) =>
    many.map(number =>
      drawFate(withDefaults({ interruptedRate: 0.3, fileFormat: 'random', ...options }), number, 100),
    )

  it('is the same for the same seed and another for another', () => {
    expect(fates({ seed: 5 })).toEqual(fates({ seed: 5 }))
    expect(fates({ seed: 5 })).not.toEqual(fates({ seed: 6 }))
  })

  it('keeps to the rates', () => {
    const drawn = fates({ htmlFileRate: 0.1, emptyFileRate: 0.2 })
    expect(shareOf(drawn.map(fate => fate.endsAs === 3))).toBeCloseTo(0.3, 1)
    expect(shareOf(drawn.map(fate => fate.fileFault === 'html'))).toBeCloseTo(0.1, 1)
    expect(shareOf(drawn.map(fate => fate.fileFault === 'empty'))).toBeCloseTo(0.2, 1)
    expect(shareOf(drawn.map(fate => fate.format.layout === 'csv'))).toBeCloseTo(1 / 3, 1)
  })

  it('lets a completed job deal with all devices and have a file', () => {
    const whole = fates({ interruptedRate: 0 })
    expect(whole.every(fate => fate.doneShare === 1 && fate.hasFile && fate.endsAs === 2)).toBe(true)
  })

  it('spreads durations around their median', () => {
    const durations = fates({ jitter: 0.5, baseMs: 900, perDeviceMs: 1 }).map(fate => fate.runMs)
    expect(shareOf(durations.map(ms => ms < 1000))).toBeCloseTo(0.5, 1)
    expect(new Set(fates({ jitter: 0, baseMs: 900, perDeviceMs: 1 }).map(fate => fate.runMs))).toEqual(
      new Set([1000]),
    )
  })

  it('gives faults of calls in the same order', () => {
    const options = withDefaults({ throttleRate: 0.2, lostResponseRate: 0.2, lateCreateRate: 0.1 })
    const dealt = () => {
      const faults = createFaults(options, createRandom(3))
      return many.map(i => faults.next(i % 2 ? 'create' : 'list')?.kind ?? null)
    }
    const kinds = dealt()
    expect(dealt()).toEqual(kinds)
    expect(shareOf(kinds.map(kind => kind === 'throttled'))).toBeCloseTo(0.2, 1)
    expect(shareOf(kinds.filter((_, i) => i % 2).map(kind => kind === 'late'))).toBeCloseTo(0.1, 1)
    expect(kinds.filter((kind, i) => i % 2 === 0 && kind === 'late')).toEqual([])
  })

  it('comes after injected faults, which come exactly as often as asked', () => {
    const faults = createFaults(withDefaults({}), createRandom(3))
    faults.inject('list', { kind: 'lost-request' }, 2)
    expect(faults.next('query')).toBeNull()
    expect([1, 2, 3].map(() => faults.next('list')?.kind ?? null)).toEqual([
      'lost-request',
      'lost-request',
      null,
    ])
  })

  it('is drawn evenly', () => {
    const random = createRandom(1)
    for (const draws of [many.map(() => random()), many.map(i => chance(1, 'device', i))])
      for (const quarter of [0.25, 0.5, 0.75])
        expect(shareOf(draws.map(x => x < quarter))).toBeCloseTo(quarter, 1)
    expect(logNormal(random, 0)).toBe(1)
  })
})
