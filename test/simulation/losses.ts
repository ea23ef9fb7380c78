/**
 * Worlds in which the ground gives way: the requests topic is deleted and made anew, or the database goes back in time. An
 * operator accepts what the service has stopped for.
 */
import { acceptRestore, isStopped } from '../support/fake-journal/accept-restore'
import { copyStore } from '../support/fake-journal/copy'
import { giveUpForgotten } from '../support/fake-journal/forgotten'
import { sourceKey } from '../support/fake-journal/intake'
import { movedOnce } from './invariants/check-after-loss'
import type { World } from './world'

const clusterId = 'simulated'
const topicName = 'requests'
export const publisher = 'publisher'

/**
 * What holds although the database has lost commits: every request has its final outcome, and no move is in two places.
 * Devices may be sent again, jobs of before are forgotten, and results come a second time.
 */
const keptAfterLoss = [
  'all work is done',
  movedOnce,
  'conservation: the gap is 0',
  'conservation: no count is negative',
  'nothing unforeseen',
  'the service goes on',
  'time passes',
]

export interface Losses {
  /** Something may give way now. Each does so once in a run. */
  mayHappen(): void
  /** The database has gone back, or is about to: what a person does to it may be lost or unheard. */
  readonly isOlder: () => boolean
}

export const createLosses = (world: World): Losses => {
  const { clock, draw, faults, journal, lease, topic, trace, violations } = world
  const { store } = journal
  let isAnew = false
  let isOlder = false
  const later = (ms: number, act: () => void): void => clock.after(clock.world, ms, act)

  /** Producers send what was not taken in once more. */
  const makeAnew = (): void => {
    trace.note('world', () => 'the requests topic is MADE ANEW')
    const next = (partition: number): bigint =>
      store.consumed.get(sourceKey({ clusterId, topic: topicName, partition }))?.next ?? 0n
    for (const [partition, records] of topic.makeAnew(next).entries())
      for (const record of records) later(draw.between(1_000, 30_000), () => topic.produce(partition, record))
  }

  const goBack = (): void => {
    const putBack = copyStore(store)
    const copied = { ...lease }
    trace.note('world', () => 'the database is copied')
    later(draw.between(2_000, 60_000), () => {
      trace.note('world', () => 'the database GOES BACK to its copy')
      violations.onlyKeep(keptAfterLoss)
      putBack()
      Object.assign(lease, copied)
    })
  }

  return {
    isOlder: () => isOlder,
    mayHappen: () => {
      if (!isAnew && !isOlder && faults.hit('topic made anew')) {
        isAnew = true
        makeAnew()
      } else if (!isAnew && !isOlder && faults.hit('database older')) {
        isOlder = true
        goBack()
      }
    },
  }
}

/** The operator accepts whatever the service has stopped for. */
export const acceptLosses = ({ journal, ledger, lease, outcomes, topic, trace }: World): void => {
  const { store } = journal
  for (const jobId of giveUpForgotten(store)) {
    trace.note('human', () => `goes on without the results of ${jobId}`)
    if (ledger.jobs.get(jobId)?.endedAt === null) ledger.giveUp(jobId)
  }
  if (!isStopped(store)) return
  trace.note('human', () => 'accepts the restore')
  const partitions = topic.marks().map(marks => ({ ...marks, clusterId, topic: topicName }))
  acceptRestore(store, publisher, outcomes.positions().at(-1) ?? 0n, partitions)
  lease.epoch = store.lease.epoch
}
