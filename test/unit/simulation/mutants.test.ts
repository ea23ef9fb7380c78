import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mutants } from '../../simulation/mutants'

const root = join(__dirname, '../../..')

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
