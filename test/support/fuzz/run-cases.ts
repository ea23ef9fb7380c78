import { appendFileSync } from 'node:fs'
import fc from 'fast-check'

/** All suites together: a few in every run of the tests, 100,000 from `npm run bench -- fuzz`. */
const allCases = Number(process.env.FUZZ_CASES ?? 4_000)
const report = process.env.FUZZ_REPORT

export interface Fuzzing<T> {
  /** Of all cases, 0 to 1. */
  readonly share: number
  readonly cases: fc.Arbitrary<T>
  /** Throws for what must never be; else says what kind of outcome it was. */
  readonly outcomeOf: (one: T) => string | Promise<string>
}

/** A test of many made-up cases. What came of them goes to the bench that asked for it. */
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
