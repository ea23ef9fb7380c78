/** A worker process: it runs the seeds that it is sent, one after the other, perhaps with a planted defect. */
import { runSeed, type SeedReport } from './run-seed'

/** A report as it goes between processes, which cannot send maps. */
export interface SeedMessage extends Omit<SeedReport, 'faults'> {
  readonly faults: readonly (readonly [string, number])[]
}

export const messageOf = (report: SeedReport): SeedMessage => ({ ...report, faults: [...report.faults] })

export const main = (): void => {
  process.on('message', (seed: number) => {
    process.send?.(messageOf(runSeed(seed)))
  })
  process.on('disconnect', () => process.exit(0))
}
