/**
 * Made-up records, result files and answers of the provider through the real readers: the suites of test/fuzz with many
 * more cases than they have among the other tests.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { print } from './figures'

const root = join(__dirname, '..')
const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js')
/** The limit of one case, ms: far above what any takes, and far below the 10 s that a lease lasts. */
const slowestMs = 2_000

/** What one suite writes about its cases. */
interface SuiteReport {
  readonly name: string
  readonly kinds: Readonly<Record<string, number>>
  readonly seconds: number
  readonly slowestMs: number
}

const reportsIn = (path: string): SuiteReport[] =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as SuiteReport)
    : []
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

export const fuzz = async (cases: number): Promise<boolean> => {
  const directory = mkdtempSync(join(tmpdir(), 'device-move-fuzz-'))
  try {
    const report = join(directory, 'report.ndjson')
    const { status } = spawnSync(process.execPath, [jest, '--selectProjects', 'fuzz', '--silent'], {
      cwd: root,
      env: { ...process.env, FUZZ_CASES: String(cases), FUZZ_REPORT: report },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const suites = reportsIn(report)
    for (const { name, kinds, seconds } of suites) {
      const counts = Object.entries(kinds).sort(([, a], [, b]) => b - a)
      console.log(`\n  ${name}: ${sum(counts.map(([, n]) => n))} in ${seconds.toFixed(1)} s`)
      print(counts.map(([kind, count]) => [`  ${kind}`, count]))
    }
    const total = sum(suites.flatMap(({ kinds }) => Object.values(kinds)))
    const slowest = Math.max(0, ...suites.map(suite => suite.slowestMs))
    console.log('')
    print([
      ['cases', total, `limit: ${cases}`],
      ['suites with a counterexample (see above)', status === 0 ? 0 : 'some', 'limit: 0'],
      ['seconds', sum(suites.map(({ seconds }) => seconds)).toFixed(1)],
      ['slowest case, ms', slowest.toFixed(0), `limit: ${slowestMs}`],
    ])
    return status === 0 && total >= cases && slowest < slowestMs
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
