/** Which unfinished batch the journal in memory hands out next. */
import type { Store, StoredJob } from './store'

/** Whether its create has no answer yet. A held job that was certainly not created keeps nobody waiting. */
export const isBeforeAnswer = ({ status, heldBecause }: StoredJob): boolean =>
  (status === 'claimed' && heldBecause === null) || status === 'creating' || status === 'unknown'

/**
 * There is one create at a time of routes that look alike. Of their batches only the first is offered, and none while
 * another is in hand. Of two creates without an answer the later is reconciled first.
 */
const hasToWait = (store: Store, job: StoredJob, inHand: readonly number[]): boolean => {
  const isUnderWay = ({ status, batchId }: StoredJob): boolean =>
    status !== 'claimed' || inHand.includes(batchId)
  const stops = (other: StoredJob): boolean =>
    job.status === 'claimed'
      ? isUnderWay(other) || other.batchId < job.batchId
      : job.status === 'unknown' && other.batchId > job.batchId && isUnderWay(other)
  return [...store.unfinished].some(
    other => other.route.lookAlike === job.route.lookAlike && isBeforeAnswer(other) && stops(other),
  )
}

/** Jobs that may be open come first, because they have to be counted before anything is created. */
const isYetToBeCreated = (job: StoredJob): number => (job.status === 'claimed' ? 1 : 0)

/** The next unfinished batch that is neither held nor in hand; while nothing is sent, none that is yet to be created. */
export const nextUnfinished = (
  store: Store,
  inHand: readonly number[],
  isNothingSent: boolean,
): StoredJob | null => {
  for (const job of [...store.unfinished].sort((a, b) => isYetToBeCreated(a) - isYetToBeCreated(b))) {
    if (job.heldBecause !== null || inHand.includes(job.batchId) || hasToWait(store, job, inHand)) continue
    if (job.status !== 'claimed' || !isNothingSent) return job
  }
  return null
}
