import { readFileSync } from 'node:fs'
import { findPlace } from '../../simulation/find-place'
import { mutants } from '../../simulation/mutants'
import { runSeed } from '../../simulation/run-seed'

describe('the simulation', () => {
  it.each([1, 2, 3, 4, 5])('breaks no promise with seed %i', seed => {
    expect(runSeed(seed).violations).toEqual([])
  })

  it('gives the same run for the same seed and another run for another', () => {
    const [first, again, other] = [runSeed(7, true), runSeed(7, true), runSeed(8, true)]
    expect(again.trace).toEqual(first.trace)
    expect(other.trace).not.toEqual(first.trace)
  })
})

describe('a defect planted in the simulation', () => {
  it('has a name of its own', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })

  // A change of such a piece of code changes its mutant too (test/simulation/mutants.ts).
  it.each(mutants.map(each => [each.name, each] as const))(
    '%s fits the code in exactly one place',
    (_name, mutant) => {
      const { file, start, end, text } = findPlace(mutant)
      expect(text).not.toBe(readFileSync(file, 'utf8').slice(start, end))
    },
  )

  it('is planted where its syntax is, whatever its variables, line breaks and comments', () => {
    expect(() => findPlace({ find: 'thereIsNo.$x', replace: '1' })).toThrow('0 places fit, not one')
    expect(() => findPlace({ find: 'of($x)', replace: '1' })).toThrow(/\d{2,} places fit, not one/)
    expect(() => findPlace({ inside: 'halveBatch', find: '$a.slice($b)', replace: 'unheardOf' })).toThrow(
      'the replacement names unheardOf, which its file does not have',
    )
  })
})
