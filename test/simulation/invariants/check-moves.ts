import type { LedgerJob } from '../ledger'
import type { World } from '../world'
import { ownershipOf } from './ownership'

interface Sent {
  readonly attempt: number
  readonly deviceName: string
  readonly job: LedgerJob
  /** Whether looking the device up has shown where it is. */
  readonly lookUp: 'told' | 'not told'
}

/**
 * True if a device may be sent again for the same request after this job. That is so if a row or a look-up shows that
 * it has not moved, or if the job was interrupted and neither shows anything. A device of a completed job without a row
 * and without a look-up may have moved, so it is not sent again.
 */
const maySendAgain = ({ job, deviceName, lookUp }: Sent): boolean => {
  const row = job.rows.get(deviceName)
  if (row !== undefined) return row !== '200'
  return lookUp === 'told' ? !job.moved.has(deviceName) : job.interrupted
}

/** What ran of each request and device, by `acceptedOrder`, in the order in which it ran. */
const sentByAcceptedOrder = (world: World): Map<bigint, Sent[]> => {
  const { store } = world.journal
  const all = new Map<bigint, Sent[]>()
  for (const [job, ran] of ownershipOf(world).ran) {
    for (const seq of job.seqs) {
      const { acceptedOrder, attempt, deviceName } = store.moveAt(job.route, seq)
      const sent = all.get(acceptedOrder) ?? []
      const isTold = job.lookUps.some(each => each.deviceName === deviceName && each.found !== null)
      sent.push({ attempt, deviceName, job: ran, lookUp: isTold ? 'told' : 'not told' })
      all.set(acceptedOrder, sent)
    }
  }
  for (const sent of all.values()) sent.sort((a, b) => a.job.startedAt - b.job.startedAt)
  return all
}

/**
 * No device is moved twice for one request. Each attempt of a request and device is in one job, there is a next attempt
 * only if the job before allows it, and there are no more attempts than configured.
 */
export const checkMoves = (world: World): void => {
  const { plan, violations } = world
  const follow = (before: Sent, next: Sent): void => {
    const { deviceName, attempt, job } = next
    const what = `${deviceName}, attempt ${attempt}, was sent by ${job.providerJobId} after ${before.job.providerJobId}`
    if (before.attempt >= attempt) violations.broken('an attempt is sent once', what)
    if (!maySendAgain(before))
      violations.broken(
        'no device is moved twice',
        `${what}, whose file says ${before.job.rows.get(deviceName) ?? 'nothing'}`,
      )
  }
  for (const sent of sentByAcceptedOrder(world).values())
    for (const [at, next] of sent.entries()) {
      if (next.attempt > plan.maxAttempts)
        violations.broken(
          'attempts are limited',
          `${next.deviceName}: ${next.attempt} of ${plan.maxAttempts}`,
        )
      const before = sent[at - 1]
      if (before !== undefined) follow(before, next)
    }
}
