/** Runs seeds in several processes, so that a campaign uses every core. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { SeedMessage } from './worker'

/** Seeds that each worker has in hand, so that none waits for its next one. */
const ahead = 3

export interface PoolOptions {
  readonly seeds: Iterable<number>
  readonly workers: number
  /** The name of a defect to plant. */
  readonly mutant?: string
  /** Returns false to end the pool: the seeds that still run are broken off. */
  readonly onReport: (report: SeedMessage) => boolean
}

/** Rejects when a worker fails. (A seed that breaks a promise is a report, not a failure.) */
export const runInPool = async ({ seeds, workers, mutant, onReport }: PoolOptions): Promise<void> => {
  const next = seeds[Symbol.iterator]()
  const processes = Array.from({ length: workers }, () =>
    fork(join(__dirname, 'main.cjs'), ['--worker', ...(mutant === undefined ? [] : [mutant])]),
  )
  let isEnough = false

  const serve = (worker: ChildProcess): Promise<void> =>
    new Promise((resolve, reject) => {
      let outstanding = 0
      const feed = (): void => {
        while (outstanding < ahead) {
          const { value, done } = next.next()
          if (done === true) break
          outstanding += 1
          worker.send(value)
        }
        if (outstanding === 0) worker.disconnect()
      }
      worker.on('message', (report: SeedMessage) => {
        outstanding -= 1
        if (isEnough) return
        isEnough = !onReport(report)
        if (isEnough) for (const each of processes) each.kill()
        else feed()
      })
      worker.on('error', reject)
      worker.on('exit', code => {
        if (code === 0 || isEnough) resolve()
        else reject(new Error(`a worker ended with code ${code}`))
      })
      feed()
    })

  await Promise.all(processes.map(serve))
}
