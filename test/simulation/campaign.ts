/** The simulation's command line: campaigns over many seeds, the trace of one, and the hunt for planted defects. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { messageOf } from '../../src/domain/error-text'
import { type FaultKind, faultKinds } from './faults'
import { describeHunt, hunt, huntAll } from './hunt'
import { mutantOf, mutants } from './mutants'
import { print, range } from './print'
import { runSeed } from './run-seed'
import type { SeedMessage } from './worker'
import { runInPool } from './worker-pool'

const usage = `Usage: npm run test:sim -- [options]
  --seeds N        how many seeds (1000; 200 with --mutate)
  --from N         the first seed (1)
  --workers N      processes (one a core)
  --trace          with --seeds 1: everything that happened, in order
  --mutations      lists the defects that can be planted
  --mutate NAME    plants one: exit 1 when it is found, 0 when it survives
  --mutate all     plants each in turn: exit 0 when all are found
`
const tailLines = 80
/** A campaign ends after this many seeds with violations. */
const maxFailed = 10
/** A campaign of this many seeds has to meet every kind of fault. */
const enoughSeeds = 500
const mutantSeeds = 200

const printViolations = ({ seed, violations }: Pick<SeedMessage, 'seed' | 'violations'>): void => {
  for (const { promise, detail } of violations) print(`seed ${seed}: BROKEN: ${promise}: ${detail}`)
}

const printTrace = (seed: number): void => {
  const { trace } = runSeed(seed, true)
  print(`\nThe last ${tailLines} of ${trace.length} lines of seed ${seed}:`)
  print(trace.slice(-tailLines).join('\n'))
  print(`\nAll of it: npm run test:sim -- --seeds 1 --from ${seed} --trace`)
}

/** The same seed has to give the same run, because otherwise no seed could be replayed. */
const isRepeatable = (seed: number): boolean => {
  const [first, second] = [runSeed(seed, true), runSeed(seed, true)]
  return first.steps === second.steps && first.trace.join('\n') === second.trace.join('\n')
}

const lookAt = (seed: number): number => {
  const report = runSeed(seed, true)
  print(report.trace.join('\n'))
  printViolations(report)
  print(
    `seed ${seed}: ${report.steps} steps, ${(report.virtualMs / 1_000).toFixed(0)} s of virtual time, ${report.violations.length} violations`,
  )
  return report.violations.length === 0 ? 0 : 1
}

const printFaults = (met: ReadonlyMap<string, number>): FaultKind[] => {
  const width = Math.max(...faultKinds.map(kind => kind.length))
  print('faults met:')
  for (const kind of faultKinds) print(`  ${kind.padEnd(width)} ${String(met.get(kind) ?? 0).padStart(9)}`)
  return faultKinds.filter(kind => !met.has(kind))
}

const campaign = async (from: number, count: number, workers: number): Promise<number> => {
  const began = Date.now()
  const met = new Map<string, number>()
  const failed: SeedMessage[] = []
  let runs = 0
  const sums = { virtualMs: 0, steps: 0, jobs: 0, finals: 0, held: 0 }
  await runInPool({
    seeds: range(from, count),
    workers,
    onReport: report => {
      runs += 1
      for (const [kind, times] of report.faults) met.set(kind, (met.get(kind) ?? 0) + times)
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += report[name]
      if (report.violations.length > 0) {
        failed.push(report)
        printViolations(report)
      }
      return failed.length < maxFailed
    },
  })
  const [firstFailed] = failed.sort((a, b) => a.seed - b.seed)
  if (firstFailed !== undefined) printTrace(firstFailed.seed)
  const missing = printFaults(met)
  print(
    `${runs} of ${count} seeds from ${from}: ${failed.length} with violations; ` +
      `${sums.jobs} jobs, ${sums.finals} final outcomes, ${sums.held} jobs left to a human; ` +
      `${(sums.virtualMs / 3_600_000).toFixed(1)} h of virtual time in ${((Date.now() - began) / 1_000).toFixed(1)} s`,
  )
  if (count >= enoughSeeds && missing.length > 0) print(`Never met: ${missing.join(', ')}`)
  const repeats = isRepeatable(from)
  if (!repeats) print(`Seed ${from} does not give the same run twice`)
  return failed.length === 0 && repeats && (count < enoughSeeds || missing.length === 0) ? 0 : 1
}

const options = {
  seeds: { type: 'string' },
  from: { type: 'string', default: '1' },
  workers: { type: 'string', default: String(availableParallelism()) },
  trace: { type: 'boolean', default: false },
  mutations: { type: 'boolean', default: false },
  mutate: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

const run = async (args: string[]): Promise<number> => {
  const { values } = parseArgs({ args, options })
  const from = Number(values.from)
  const workers = Number(values.workers)
  const count = Number(values.seeds ?? (values.mutate === undefined ? 1_000 : mutantSeeds))
  const isWhole = [from, workers, count].every(number => Number.isSafeInteger(number) && number > 0)
  if (values.help || !isWhole) {
    print(usage)
    return values.help ? 0 : 2
  }
  if (values.mutations) {
    for (const { name, what } of mutants) print(`${name}: ${what}`)
    return 0
  }
  if (values.mutate === 'all') return huntAll(from, count, workers)
  if (values.mutate !== undefined) {
    const { name } = mutantOf(values.mutate)
    const result = await hunt(name, from, count, workers)
    print(describeHunt(name, result))
    return result.found === null ? 0 : 1
  }
  return values.trace && count === 1 ? lookAt(from) : campaign(from, count, workers)
}

export const main = (args: string[]): void => {
  run(args).then(
    code => process.exit(code),
    (error: unknown) => {
      process.stderr.write(`${messageOf(error)}\n`)
      process.exit(2)
    },
  )
}
