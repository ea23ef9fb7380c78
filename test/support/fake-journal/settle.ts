/** How a job settles in the journal in memory: at once, or in parts while its untold devices are looked up. */
import { asyncScheduler } from 'rxjs'
import type { BatchMove } from '../../../src/domain/job'
import type { LookUp, UntoldJob } from '../../../src/domain/look-up'
import type { Verdict } from '../../../src/domain/outcome'
import { checkAllSettled, checkVerdicts } from '../../../src/domain/settlement'
import { releaseWaiting } from './release-waiting'
import type { Store, StoredJob } from './store'

export const openSeqs = ({ route, seqs }: StoredJob): number[] => seqs.filter(seq => !route.outcomes.has(seq))

interface SettleOptions {
  readonly as: StoredJob['endedAs']
  /** Whether moves may stay open, to be looked up. */
  readonly mayLeave: boolean
}

/** Stores the outcomes of open moves with all that follows from them. Returns how many moves are still open. */
export const settle = (
  store: Store,
  job: StoredJob,
  verdicts: readonly Verdict[],
  { as, mayLeave }: SettleOptions,
): number => {
  const open = checkVerdicts(job.batchId, openSeqs(job).map(BigInt), verdicts)
  if (!mayLeave) checkAllSettled(job.batchId, open)
  const now = asyncScheduler.now()
  for (const { seq, outcome, final, code, message, retryInMs } of verdicts) {
    job.route.outcomes.set(Number(seq), { outcome, final, code, message })
    const move = store.moveAt(job.route, Number(seq))
    if (retryInMs !== null)
      store.requeue.add({
        ...move,
        attempt: move.attempt + 1,
        route: job.route,
        dueAt: now + retryInMs,
        waitsFor: null,
      })
  }
  if (job.status === 'completed' || job.status === 'interrupted') job.lastError = null
  if (open === 0) {
    Object.assign(job, { status: 'settled', settledAt: now })
    store.unfinished.delete(job)
  } else job.status = 'looking-up'
  job.endedAs = as
  if (as === 'refused') job.refusals += 1
  const seqs = verdicts.map(({ seq }) => Number(seq)).sort((a, b) => a - b)
  if (seqs.length === 0) return open
  releaseWaiting(store, new Set(seqs.map(seq => store.moveAt(job.route, seq).acceptedOrder)))
  store.counters.lastOutboxId += 1n
  store.outbox.push({
    id: store.counters.lastOutboxId,
    count: seqs.length,
    job,
    seqs,
    at: new Date(now),
  })
  store.notify()
  return open
}

export const settleLookedUp = (
  store: Store,
  job: StoredJob,
  lookUps: readonly LookUp[],
  verdicts: readonly Verdict[],
): number => {
  const asked = new Set(lookUps.map(({ deviceName }) => deviceName))
  job.lookUps = [...job.lookUps.filter(({ deviceName }) => !asked.has(deviceName)), ...lookUps]
  const open = new Set(openSeqs(job).map(BigInt))
  return settle(
    store,
    job,
    verdicts.filter(({ seq }) => open.has(seq) || !job.seqs.includes(Number(seq))),
    { as: job.endedAs, mayLeave: true },
  )
}

export const untoldMoves = (store: Store, job: StoredJob, devices: number): BatchMove[] => {
  if (job.status !== 'looking-up') return []
  const known = new Set(job.lookUps.map(({ deviceName }) => deviceName))
  const moves = openSeqs(job).flatMap(seq => {
    const { deviceName, attempt } = store.moveAt(job.route, seq)
    return known.has(deviceName) ? [] : [{ seq: BigInt(seq), deviceName, attempt }]
  })
  const first = new Set([...new Set(moves.map(move => move.deviceName))].slice(0, devices))
  return moves.filter(move => first.has(move.deviceName))
}

export const nextUntold = (store: Store): UntoldJob | null => {
  for (const job of store.unfinished) {
    const { batchId, releases, route, createStartedAt, endedAs, holdUntold } = job
    if (job.status !== 'looking-up' || job.heldBecause !== null) continue
    if (createStartedAt === null || (endedAs !== 'completed' && endedAs !== 'interrupted'))
      throw new Error(`job ${batchId} was never created, or has not ended`)
    return { batchId, releases, route: route.fields, createStartedAt, ended: endedAs, holdUntold }
  }
  return null
}
