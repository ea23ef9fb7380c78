/** Runs the seeds it is sent, one after the other, with or without a planted defect. */
import { runSeed, type SeedReport } from './run-seed'

/** What goes between the processes: no maps. */
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
