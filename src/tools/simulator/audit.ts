import { type Operation, operations } from './call'
import { type JobBook, statusAt } from './job-book'
import type { JobFate } from './job-fate'
import type { Breach as BreachOf, QuotaWindow } from './quota-window'

type Breach = BreachOf<Operation>

/** What the provider saw and refused. Only calls whose signature holds are counted. */
export interface Audit {
  readonly calls: Readonly<Record<Operation, number>>
  /** How many calls exceeded a cap, and the first 100 of them. */
  readonly breaches: number
  readonly breachList: readonly Breach[]
  /** The most calls in any sliding second, refused ones included: all together as `shared`, and by operation. */
  readonly maxPerSecond: Readonly<Record<string, number>>
  /** The most jobs open at once, foreign ones included. */
  readonly maxOpenJobs: number
  /** Creates refused because of the job limit. */
  readonly slotRefusals: number
  /** How many jobs were created by calls, and how many by other people. */
  readonly ownJobs: number
  readonly foreignJobs: number
  /** How many jobs are in status 0, 1, 2 and 3 now; deleted ones are left out. */
  readonly jobsByStatus: readonly [number, number, number, number]
  readonly signatureFailures: number
  /** Refusals of the gateway and business failures, by code. */
  readonly refusals: Readonly<Record<string, number>>
  /** Faults that happened, seeded and injected ones, by kind. */
  readonly faults: Readonly<Record<string, number>>
  /** Downloads of result files, by the status of the answer. */
  readonly downloads: Readonly<Record<string, number>>
}

const LISTED = 100

const createCounter = <K extends string>(start: Record<K, number>) => {
  const counts: Record<K, number> = start
  return { add: (key: K) => (counts[key] = (counts[key] ?? 0) + 1), counts: () => ({ ...counts }) }
}

export const createAuditBook = () => {
  const calls = createCounter(
    Object.fromEntries(operations.map(name => [name, 0])) as Record<Operation, number>,
  )
  const refusals = createCounter<string>({})
  const faults = createCounter<string>({})
  const downloads = createCounter<string>({})
  const breachList: Breach[] = []
  let [breaches, slotRefusals, signatureFailures] = [0, 0, 0]

  return {
    call: (operation: Operation) => calls.add(operation),
    refusal: (code: string) => refusals.add(code),
    fault: (kind: string) => faults.add(kind),
    download: (status: number | 'cut') => downloads.add(String(status)),
    slotRefusal: () => slotRefusals++,
    signatureFailure: () => signatureFailures++,
    breach(breach: Breach) {
      breaches++
      if (breachList.length < LISTED) breachList.push(breach)
    },
    summary(window: QuotaWindow<Operation>, book: JobBook<JobFate>, foreignJobs: number, at: number): Audit {
      const jobsByStatus: [number, number, number, number] = [0, 0, 0, 0]
      for (const job of book.all()) jobsByStatus[statusAt(job, at)]++
      return {
        calls: calls.counts(),
        breaches,
        breachList: [...breachList],
        maxPerSecond: window.peaks(),
        maxOpenJobs: book.maxOpen(),
        slotRefusals,
        ownJobs: book.nextNumber() - 1 - foreignJobs,
        foreignJobs,
        jobsByStatus,
        signatureFailures,
        refusals: refusals.counts(),
        faults: faults.counts(),
        downloads: downloads.counts(),
      }
    },
  }
}

export type AuditBook = ReturnType<typeof createAuditBook>
