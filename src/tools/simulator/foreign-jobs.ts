import type { Account } from './account'
import type { JobOrder } from './job-book'
import { createRandom, hash32, randomText } from './random'

/** A job that somebody else creates in the account. What is left out is drawn by the seed. */
export interface ForeignJob extends Partial<JobOrder> {
  /** How long it is open, ms. Default: `foreignJobMs`. */
  readonly openMs?: number
  /** How it ends. */
  readonly endsAs?: 2 | 3
  /** Opened even if the limit is reached. */
  readonly beyondLimit?: boolean
}

/** Other people's jobs. They come on demand and, when `foreignEveryMs` is set, at random intervals by the seed. */
export const createForeignJobs = (account: Account) => {
  const { options, timeline, book } = account
  const random = createRandom(hash32(options.seed, 'foreign jobs'))
  let opened = 0

  /** Returns the job's id, or null if the job limit is reached. */
  const open = (job: ForeignJob, at: number): string | null => {
    const order: JobOrder = {
      productKey: job.productKey ?? `a1${randomText(random, 9)}`,
      sourceInstanceId: job.sourceInstanceId ?? 'iot-foreign-1',
      targetInstanceIds: job.targetInstanceIds ?? ['iot-foreign-2'],
      strategy: job.strategy ?? 0,
      targetUid: job.targetUid ?? options.accountUid,
      total: job.total ?? 1 + Math.floor(random() * 500),
    }
    const fate = {
      initMs: 0,
      runMs: job.openMs ?? options.foreignJobMs,
      endsAs: job.endsAs ?? 2,
      hasFile: true,
    }
    const made = account.openForeignJob(order, at, fate, job.beyondLimit ?? false)
    if (made !== null) opened++
    return made?.jobId ?? null
  }

  const planNext = (after: number) => {
    const pause = -Math.log(1 - random()) * options.foreignEveryMs
    timeline.plan(after + Math.max(pause, 1), at => {
      const theirs = book.openAt(at).filter(job => job.foreign).length
      if (theirs < options.foreignMax) open({ openMs: options.foreignJobMs * (0.5 + random()) }, at)
      planNext(at)
    })
  }

  return {
    open,
    opened: () => opened,
    /** From `at` on the seeded jobs come. */
    start: (at: number) => {
      if (options.foreignEveryMs > 0) planNext(at)
    },
  }
}

export type ForeignJobs = ReturnType<typeof createForeignJobs>
