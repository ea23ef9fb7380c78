import type { LedgerJob } from '../ledger'
import type { Plan } from '../plan'
import type { World } from '../world'
import { ownershipOf } from './ownership'

interface Sent {
  readonly attempt: number
  readonly deviceName: string
  readonly job: LedgerJob
  /** Whether looking the device up has shown where it is. */
  readonly lookUp: 'told' | 'not told' | 'not asked'
}

/**
 * True if a device may be sent again for the same request after this job. That is so if a row or a look-up shows that
 * it has not moved, or if the job was interrupted and neither shows anything. A device of a completed job without a row
 * and without a look-up may have moved, so it is not sent again. `isAsked`: no device without a row is sent again before
 * it was looked up.
 */
const maySendAgain = ({ job, deviceName, lookUp }: Sent, isAsked: boolean): boolean => {
  const row = job.rows.get(deviceName)
  if (row !== undefined) return row !== '200'
  if (isAsked && lookUp === 'not asked') return false
  return lookUp === 'told' ? !job.moved.has(deviceName) : job.interrupted
}

/** Look-ups are given up where the provider gives no useful answer several times in a row. */
const givesUp = ({ rates }: Plan): boolean =>
  rates['look-up useless'] !== undefined || rates['account refused'] !== undefined

/** What ran of each request and device, by `acceptedOrder`, in the order in which it ran. */
const sentByAcceptedOrder = (world: World): Map<bigint, Sent[]> => {
  const { store } = world.journal
  const all = new Map<bigint, Sent[]>()
  for (const [job, ran] of ownershipOf(world).ran) {
    for (const seq of job.seqs) {
      const { acceptedOrder, attempt, deviceName } = store.moveAt(job.route, seq)
      const sent = all.get(acceptedOrder) ?? []
      const asked = job.lookUps.find(each => each.deviceName === deviceName)
      const lookUp = asked === undefined ? 'not asked' : asked.found === null ? 'not told' : 'told'
      sent.push({ attempt, deviceName, job: ran, lookUp })
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
  const isAsked = plan.lookUpMaxDevices === 0 && !givesUp(plan)
  const follow = (before: Sent, next: Sent): void => {
    const { deviceName, attempt, job } = next
    const what = `${deviceName}, attempt ${attempt}, was sent by ${job.providerJobId} after ${before.job.providerJobId}`
    if (before.attempt >= attempt) violations.broken('an attempt is sent once', what)
    if (!maySendAgain(before, isAsked))
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
