/** How the journal in memory settles a job. */
import { asyncScheduler } from 'rxjs'
import type { Verdict } from '../../../src/domain/outcome'
import { checkVerdicts } from '../../../src/domain/settlement'
import { releaseWaiting } from './release-waiting'
import type { Store, StoredJob } from './store'

export const settle = (
  store: Store,
  job: StoredJob,
  verdicts: readonly Verdict[],
  as: StoredJob['endedAs'],
): void => {
  checkVerdicts(job.batchId, job.seqs.map(BigInt), verdicts)
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
  Object.assign(job, { status: 'settled', endedAs: as, settledAt: now })
  if (as === 'refused') job.refusals += 1
  store.unfinished.delete(job)
  releaseWaiting(store, new Set(job.seqs.map(seq => store.moveAt(job.route, seq).acceptedOrder)))
  store.counters.lastOutboxId += 1n
  store.outbox.push({ id: store.counters.lastOutboxId, count: job.seqs.length, job })
  store.notify()
}
