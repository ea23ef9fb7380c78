import fc from 'fast-check'
import { decideOnResults, type ResultsAnswer, type ResultsSoFar } from '../../../src/domain/device-results'

const decide = (answers: readonly ResultsAnswer[], more: Partial<ResultsSoFar> = {}) =>
  decideOnResults({ ended: 'completed', answers, reported: 0, missing: 10, isFound: false, ...more }, 1)

const interrupted = { ended: 'interrupted' } as const

describe('decideOnResults', () => {
  it('settles as soon as every device has a row, whatever came before', () => {
    expect(decide(['unreadable', 'refused', 'rows'], { missing: 0 })).toEqual({ kind: 'settle' })
  })

  it('asks once more for the results of a completed job when devices have no row', () => {
    expect(decide(['rows'], { reported: 9, missing: 1 })).toEqual({ kind: 'again', afterMs: 5_000 })
    expect(decide(['rows', 'rows'], { reported: 9, missing: 1 })).toEqual({ kind: 'settle' })
  })

  it('takes the file of an interrupted job as it is, and settles it after two answers that there is none', () => {
    expect(decide(['rows'], { ...interrupted, reported: 4 })).toEqual({ kind: 'settle' })
    expect(decide(['none'], interrupted)).toEqual({ kind: 'again', afterMs: 5_000 })
    expect(decide(['none', 'none'], interrupted)).toEqual({ kind: 'settle' })
  })

  it('holds a completed job after two answers that there is no file', () => {
    expect(decide(['none', 'none'])).toEqual({ kind: 'hold' })
  })

  it('counts a file without a row as no file of an interrupted job, and as doubtful of a completed one', () => {
    expect(decide(['empty'], interrupted)).toEqual({ kind: 'again', afterMs: 5_000 })
    for (const first of ['none', 'empty', 'unreadable'] as const)
      expect(decide([first, 'empty', 'empty'], interrupted)).toEqual({ kind: 'settle' })
    expect(decide(Array(4).fill('empty'))).toMatchObject({ kind: 'again' })
    expect(decide(Array(5).fill('empty'))).toEqual({ kind: 'hold' })
  })

  it.each(['refused', 'unreadable'] as const)(
    'never counts the answer "%s" as "there is no file"',
    answer => {
      for (const ended of ['completed', 'interrupted'] as const) {
        const pauses = [1, 2, 3, 4].map(times => decide(Array(times).fill(answer), { ended }))
        expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000].map(afterMs => ({ kind: 'again', afterMs })))
        expect(decide(Array(5).fill(answer), { ended })).toEqual({ kind: 'hold' })
      }
    },
  )

  it("takes a job that was found in List for somebody else's if its files name other devices only", () => {
    const wrongDevices = Array<ResultsAnswer>(5).fill('wrong-devices')
    const found = { isFound: true }
    for (const ended of ['completed', 'interrupted'] as const) {
      expect(decide(wrongDevices.slice(1), { ...found, ended })).toMatchObject({ kind: 'again' })
      expect(decide(wrongDevices, { ...found, ended })).toEqual({ kind: 'not-ours' })
      expect(decide(['wrong-devices', 'none', 'none'], { ...found, ended })).toEqual({ kind: 'not-ours' })
      // Not so if no file can be read, if the create answered with the JobId, or if a file names devices of the batch.
      expect(decide(Array(5).fill('unreadable'), { ...found, ended })).toEqual({ kind: 'hold' })
      expect(decide(wrongDevices, { ended })).toEqual({ kind: 'hold' })
      expect(decide(wrongDevices, { ...found, ended, reported: 1, missing: 9 })).toEqual({ kind: 'settle' })
    }
  })

  it('keeps the rows of an earlier file when later files cannot be read', () => {
    const answers = ['rows', ...Array<ResultsAnswer>(5).fill('unreadable')] as const
    expect(decide(answers, { reported: 9, missing: 1 })).toEqual({ kind: 'settle' })
  })

  it('asks without end while the results are unavailable, at pauses that grow to 300 s', () => {
    const after = (times: number) => decide(['rows', ...Array<ResultsAnswer>(times).fill('unavailable')])
    expect([1, 2, 9, 10, 1_000].map(after)).toEqual(
      [1_000, 2_000, 256_000, 300_000, 300_000].map(afterMs => ({ kind: 'again', afterMs })),
    )
  })

  it('stops asking within eight answers, whatever they are, unless the results are unavailable', () => {
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
