import { lookAlikeKey } from '../../../src/domain/reconcile'
import type { FakeJournal } from '../../support/fake-journal'
import type { SimulatedJob } from '../../support/simulated-jobs'
import type { Clock } from '../clock'
import type { Ledger } from '../ledger'
import type { Plan } from '../plan'
import type { Violations } from '../violations'

export interface WatchCreatesDeps {
  readonly plan: Plan
  readonly journal: FakeJournal
  readonly clock: Clock
  readonly ledger: Ledger
  readonly violations: Violations
}

/**
 * Returns a check that is called right before each job starts.
 *
 * - No job of ours starts while `QUOTA_JOBS` are known to be open. All of ours are known. A stranger's job is known if it
 *   had been open so long when the create left that a look at the account must have shown it on the first page of List.
 *   The create may be carried out long after it left. A job of ours that was given up since it never ends is known too.
 * - No device is in two jobs at once.
 * - Of routes that look alike in List, one batch at a time has an unanswered create. Batches whose job turned out to be
 *   a stranger's do not count.
 */
export const watchCreates = ({ plan, journal, clock, ledger, violations }: WatchCreatesDeps) => {
  /** A look at the account is fresh for 40 s, after which the create may wait for the quota, ms. */
  const knownAfterMs = 60_000 + plan.listLagMs

  return (job: SimulatedJob): void => {
    if (job.foreign) return
    const open = ledger.open()
    if (open >= plan.quotaJobs)
      violations.broken('QUOTA_JOBS kept', `${job.providerJobId} starts while ${open} jobs of ours are open`)
    const devices = new Set(job.deviceNames)
    for (const other of ledger.jobs.values()) {
      if (other.endedAt !== null || other.givenUpAt !== null || other.productKey !== job.route.productKey)
        continue
      const both = other.deviceNames.find(name => devices.has(name))
      if (both !== undefined)
        violations.broken(
          'a device is in one job at a time',
          `${both} is in ${other.providerJobId} and ${job.providerJobId}`,
        )
    }
    const lookAlike = lookAlikeKey(job.route)
    const unanswered = [...journal.store.unfinished].filter(
      ({ status, notOurs, route }) =>
        (status === 'creating' || status === 'unknown') &&
        notOurs.length === 0 &&
        route.lookAlike === lookAlike,
    )
    if (unanswered.length > 1)
      violations.broken(
        'one create at a time of routes that look alike',
        `jobs ${unanswered.map(({ batchId }) => batchId).join(', ')} when ${job.providerJobId} starts`,
      )
    const leftAt = ledger.leftAt(job.deviceNames)
    const newerThan = (since: number): number =>
      [...ledger.jobs.values()].filter(each => each.startedAt >= since && each.startedAt <= leftAt).length +
      ledger.strangers.filter(each => each.since > since && each.since <= leftAt).length
    const endless = [...ledger.jobs.values()].flatMap(({ givenUpAt, startedAt }) =>
      givenUpAt === null ? [] : [{ since: startedAt, until: Number.POSITIVE_INFINITY }],
    )
    const known = [...ledger.strangers, ...endless].filter(
      each =>
        each.until > clock.now() &&
        leftAt - each.since > knownAfterMs &&
        newerThan(each.since) < plan.pageSize,
    ).length
    if (open + known >= plan.quotaJobs && known > 0)
      violations.broken(
        'QUOTA_JOBS kept, strangers included',
        `${job.providerJobId} starts while ${open} of ours and ${known} known ones of strangers are open`,
      )
  }
}
