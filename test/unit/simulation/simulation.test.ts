import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mutants } from '../../simulation/mutants'
import { runSeed } from '../../simulation/run-seed'

const root = join(__dirname, '../../..')

describe('the simulation', () => {
  it.each([1, 2, 3, 4, 5])('breaks no promise under seed %i', seed => {
    expect(runSeed(seed).violations).toEqual([])
  })

  it('gives the same run for the same seed, and another for another', () => {
    const [first, again, other] = [runSeed(7, true), runSeed(7, true), runSeed(8, true)]
    expect(again.trace).toEqual(first.trace)
    expect(other.trace).not.toEqual(first.trace)
  })
})

describe('the defects that the simulation has to find', () => {
  it('have names of their own', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })

  // Whoever changes such a piece changes its mutant too (test/simulation/mutants.ts).
  it.each(mutants.map(each => [each.name, each] as const))(
    '%s fits the code as it is',
    (_name, { edits }) => {
      for (const { file, find, replace } of edits) {
        const found = readFileSync(join(root, file), 'utf8').split(find).length - 1
        expect([file, find, found]).toEqual([file, find, 1])
        expect(replace).not.toBe(find)
      }
    },
  )
})
