import type { LedgerJob } from '../ledger'
import type { World } from '../world'
import { ownershipOf } from './ownership'

interface Sent {
  readonly attempt: number
  readonly deviceName: string
  readonly job: LedgerJob
  /** What became of looking it up. */
  readonly lookUp: 'told' | 'not told'
}

/**
 * Whether a job that is over lets its device be sent again for the same request: it did not move, and a row or a
 * look-up says so; or the job was interrupted, and neither says anything. One that completed without a row, and
 * cannot be looked up, is not to be sent again: it may have moved.
 */
const maySendAgain = ({ job, deviceName, lookUp }: Sent): boolean => {
  const row = job.rows.get(deviceName)
  if (row !== undefined) return row !== '200'
  return lookUp === 'told' ? !job.moved.has(deviceName) : job.interrupted
}

/** By acceptance (a request and device): what ran of it, in the order in which it ran. */
const sentByAcceptance = (world: World): Map<bigint, Sent[]> => {
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
 * No device is moved twice for one attempt: of a request and device each attempt was in one job, and there was a
 * next one only where the file of the one before allows it. No more attempts than configured.
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
  for (const sent of sentByAcceptance(world).values())
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
