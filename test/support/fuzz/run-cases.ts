import { appendFileSync } from 'node:fs'
import fc from 'fast-check'

/** Number of cases of all suites together: 4,000 in a run of the tests, 100,000 from `npm run bench -- fuzz`. */
const allCases = Number(process.env.FUZZ_CASES ?? 4_000)
const report = process.env.FUZZ_REPORT

export interface Fuzzing<T> {
  /** This test's share of all cases, 0 to 1. */
  readonly share: number
  readonly cases: fc.Arbitrary<T>
  /** Throws if the case breaks a rule. Otherwise returns the kind of its outcome. */
  readonly outcomeOf: (one: T) => string | Promise<string>
}

/** A test of many generated cases. The number of each kind of outcome goes to the report, if a bench asked for one. */
export const fuzz = <T>(name: string, { share, cases, outcomeOf }: Fuzzing<T>): void => {
  it(
    name,
    async () => {
      const kinds: Record<string, number> = {}
      let slowestMs = 0
      const startedAt = performance.now()
      await fc.assert(
        fc.asyncProperty(cases, async one => {
          const caseAt = performance.now()
          const kind = await outcomeOf(one)
          slowestMs = Math.max(slowestMs, performance.now() - caseAt)
          kinds[kind] = (kinds[kind] ?? 0) + 1
        }),
        { numRuns: Math.ceil(allCases * share) },
      )
      const seconds = (performance.now() - startedAt) / 1000
      expect(Object.keys(kinds).length).toBeGreaterThan(1)
      if (report !== undefined)
        appendFileSync(report, `${JSON.stringify({ name, kinds, seconds, slowestMs })}\n`)
    },
    30 * 60_000,
  )
}
