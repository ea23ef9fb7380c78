/** Checks that the simulation finds planted defects: seeds are run with a defect until one breaks a promise. */
import { mutants } from './mutants'
import { print, range } from './print'
import type { SeedMessage } from './worker'
import { runInPool } from './worker-pool'

interface Hunt {
  readonly found: SeedMessage | null
  readonly seeds: number
}

export const hunt = async (mutant: string, from: number, count: number, workers: number): Promise<Hunt> => {
  let found: SeedMessage | null = null
  let seeds = 0
  await runInPool({
    seeds: range(from, count),
    workers,
    mutant,
    onReport: report => {
      seeds += 1
      if (report.violations.length === 0) return true
      found = report
      return false
    },
  })
  return { found, seeds }
}

export const describeHunt = (name: string, { found, seeds }: Hunt): string => {
  const [violation] = found?.violations ?? []
  return violation === undefined || found === null
    ? `${name}: SURVIVED ${seeds} seeds`
    : `${name}: found by seed ${found.seed} (${seeds} run): ${violation.promise}: ${violation.detail}`
}

export const huntAll = async (from: number, count: number, workers: number): Promise<number> => {
  let survivors = 0
  const began = Date.now()
  for (const { name } of mutants) {
    const result = await hunt(name, from, count, workers)
    print(describeHunt(name, result).slice(0, 200))
    if (result.found === null) survivors += 1
  }
  print(
    `${mutants.length} defects planted, ${mutants.length - survivors} found, in ${((Date.now() - began) / 1_000).toFixed(1)} s`,
  )
  return survivors === 0 ? 0 : 1
}
