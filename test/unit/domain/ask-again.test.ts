import fc from 'fast-check'
import { decideOnResults, type ResultsAnswer, type ResultsSoFar } from '../../../src/domain/ask-again'

const decide = (answers: readonly ResultsAnswer[], more: Partial<ResultsSoFar> = {}) =>
  decideOnResults({ ended: 'completed', answers, reported: 0, missing: 10, isFound: false, ...more }, 1)

const interrupted = { ended: 'interrupted' } as const

describe('decideOnResults', () => {
  it('settles as soon as every device has a row, whatever came before', () => {
    expect(decide(['unreadable', 'refused', 'rows'], { missing: 0 })).toEqual({ kind: 'settle' })
  })

  it('asks a completed job once more for devices without a row', () => {
    expect(decide(['rows'], { reported: 9, missing: 1 })).toEqual({ kind: 'again', afterMs: 5_000 })
    expect(decide(['rows', 'rows'], { reported: 9, missing: 1 })).toEqual({ kind: 'settle' })
  })

  it("takes an interrupted job's file as it is, and believes twice that there is none", () => {
    expect(decide(['rows'], { ...interrupted, reported: 4 })).toEqual({ kind: 'settle' })
    expect(decide(['none'], interrupted)).toEqual({ kind: 'again', afterMs: 5_000 })
    expect(decide(['none', 'none'], interrupted)).toEqual({ kind: 'settle' })
  })

  it('holds a completed job without a file', () => {
    expect(decide(['none', 'none'])).toEqual({ kind: 'hold' })
  })

  it('takes a file without a row for none after an interrupted job, and doubts it after a completed one', () => {
    expect(decide(['empty'], interrupted)).toEqual({ kind: 'again', afterMs: 5_000 })
    for (const first of ['none', 'empty', 'unreadable'] as const)
      expect(decide([first, 'empty', 'empty'], interrupted)).toEqual({ kind: 'settle' })
    expect(decide(Array(4).fill('empty'))).toMatchObject({ kind: 'again' })
    expect(decide(Array(5).fill('empty'))).toEqual({ kind: 'hold' })
  })

  it.each(['refused', 'unreadable'] as const)('never takes %s for "there is no file"', answer => {
    for (const ended of ['completed', 'interrupted'] as const) {
      const pauses = [1, 2, 3, 4].map(times => decide(Array(times).fill(answer), { ended }))
      expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000].map(afterMs => ({ kind: 'again', afterMs })))
      expect(decide(Array(5).fill(answer), { ended })).toEqual({ kind: 'hold' })
    }
  })

  it("takes a job that was only found for another's if its files tell of other devices only", () => {
    const wrongDevices = Array<ResultsAnswer>(5).fill('wrong-devices')
    const found = { isFound: true }
    for (const ended of ['completed', 'interrupted'] as const) {
      expect(decide(wrongDevices.slice(1), { ...found, ended })).toMatchObject({ kind: 'again' })
      expect(decide(wrongDevices, { ...found, ended })).toEqual({ kind: 'not-ours' })
      expect(decide(['wrong-devices', 'none', 'none'], { ...found, ended })).toEqual({ kind: 'not-ours' })
      // Nothing tells whose it is; or the create answered with it; or a file told of its devices.
      expect(decide(Array(5).fill('unreadable'), { ...found, ended })).toEqual({ kind: 'hold' })
      expect(decide(wrongDevices, { ended })).toEqual({ kind: 'hold' })
      expect(decide(wrongDevices, { ...found, ended, reported: 1, missing: 9 })).toEqual({ kind: 'settle' })
    }
  })

  it('keeps what an earlier file told when a later one cannot be read', () => {
    const answers = ['rows', ...Array<ResultsAnswer>(5).fill('unreadable')] as const
    expect(decide(answers, { reported: 9, missing: 1 })).toEqual({ kind: 'settle' })
  })

  it('tries for ever what is unavailable, ever more rarely', () => {
    const after = (times: number) => decide(['rows', ...Array<ResultsAnswer>(times).fill('unavailable')])
    expect([1, 2, 9, 10, 1_000].map(after)).toEqual(
      [1_000, 2_000, 256_000, 300_000, 300_000].map(afterMs => ({ kind: 'again', afterMs })),
    )
  })

  it('ends, whatever is answered, unless nothing is available', () => {
    const answer = fc.constantFrom<ResultsAnswer>('rows', 'none', 'empty', 'refused', 'unreadable')
    fc.assert(
      fc.property(
        fc.array(answer, { minLength: 12, maxLength: 12 }),
        fc.boolean(),
        (answers, isInterrupted) => {
          const ended = isInterrupted ? 'interrupted' : 'completed'
          const ends = answers.findIndex(
            (_, index) => decide(answers.slice(0, index + 1), { ended }).kind !== 'again',
          )
          expect(ends).toBeGreaterThanOrEqual(0)
          expect(ends).toBeLessThan(8)
        },
      ),
    )
  })
})
