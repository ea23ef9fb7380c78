import type { Outcome } from '../../../src/domain/outcome'
import type { LedgerJob } from '../ledger'
import type { World } from '../world'
import { ownershipOf } from './ownership'

/** True if a job of ours had brought the device to the target of its move by the time the move was settled. */
const isAtTarget = (outcome: Outcome, { ledger }: World): boolean => {
  const name = outcome.deviceName ?? ''
  const mover = [...ledger.jobs.values()]
    .filter(job => job.productKey === outcome.productKey && job.moved.has(name))
    .filter(({ endedAt }) => endedAt !== null && endedAt <= outcome.settledAt.getTime())
    .sort((a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0))
    .at(-1)
  return mover?.target === outcome.targetInstanceIds?.join()
}

/** What is wrong with an outcome by the provider's own book. null: nothing is wrong. */
const wrongWith = (outcome: Outcome, job: LedgerJob, world: World): string | null => {
  const { maxAttempts } = world.plan
  const row = job.rows.get(outcome.deviceName ?? '')
  if (job.givenUpAt !== null)
    return outcome.final && outcome.code === 'unknown' && outcome.settledAt.getTime() >= job.givenUpAt
      ? null
      : 'settled before its job, which never ends, was given up'
  if (job.endedAt === null || outcome.settledAt.getTime() < job.endedAt)
    return 'settled before the job had ended'
  if (outcome.outcome === 'moved')
    return row === '200' || isAtTarget(outcome, world) ? null : `moved, but its row says ${row ?? 'nothing'}`
  if (row === '200' && outcome.code !== 'unknown') return 'failed, but its row says 200'
  if (!outcome.final || outcome.attempt >= maxAttempts) return null
  const mayEnd = outcome.code === 'unknown' || outcome.code === 'iot.device.NotExistedDevice'
  return mayEnd ? null : `given up at attempt ${outcome.attempt} of ${maxAttempts} with ${outcome.code}`
}

/** Codes of devices that were looked up because their job could not be found. */
const lookedUp: ReadonlySet<string> = new Set(['unknown', 'not-moved', 'interrupted'])

/** What is wrong with an outcome that has no job of ours. null: nothing is wrong. */
const wrongWithoutJob = (outcome: Outcome, isStrangers: boolean, world: World): string | null => {
  if (outcome.jobId !== null && !isStrangers) return `there is no job ${outcome.jobId}`
  if (outcome.outcome === 'moved') return isAtTarget(outcome, world) ? null : 'moved by nobody'
  if (isStrangers || !outcome.final || lookedUp.has(outcome.code)) return null
  if (outcome.code === 'cancelled')
    return world.faults.counts.has('route cancelled') ? null : 'cancelled by nobody'
  const isBad = world.workload.badDevices.has(`${outcome.productKey}/${outcome.deviceName}`)
  return isBad ? null : `failed unsent: ${outcome.code} ${outcome.message}`
}

/** Every outcome agrees with the provider's book, and only devices that are bad themselves are refused for good. */
export const checkVerdicts = (world: World): void => {
  const { outcomes, violations } = world
  const { ran, strangers } = ownershipOf(world)
  const ranAs = new Map<string, LedgerJob>()
  for (const [{ providerJobId }, job] of ran) if (providerJobId !== null) ranAs.set(providerJobId, job)
  const taken = new Set([...strangers.values()].map(stranger => stranger.providerJobId))
  for (const outcome of outcomes.published()) {
    if (outcome.outcome === 'rejected') continue
    const job = ranAs.get(outcome.jobId ?? '')
    const wrong =
      job === undefined
        ? wrongWithoutJob(outcome, taken.has(outcome.jobId ?? ''), world)
        : wrongWith(outcome, job, world)
    if (wrong !== null) violations.broken('outcomes are true', `${outcome.id}: ${wrong}`)
  }
}
