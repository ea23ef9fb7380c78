/** What an operator decides about a job that is overdue, held or looked up, as `src/postgres/job/resolve-job.ts` does it. */
import { givenUp } from '../../../src/domain/resolution'
import { resentVerdicts } from '../../../src/domain/settlement'
import { jobAsStored } from './claim'
import { openSeqs, settle } from './settle'
import type { Store } from './store'

export const resolveRunning = (store: Store, batchId: number, as: 'absent' | 'fail'): void => {
  const job = store.job(batchId)
  if (job.status !== 'running') throw new Error(`job ${batchId} is ${job.status}`)
  job.releases += 1
  if (as === 'fail') {
    const { moves } = jobAsStored(store, job)
    settle(store, job, givenUp(job.status, moves), { as: 'abandoned', mayLeave: false })
    return
  }
  job.resultFiles.length = 0
  Object.assign(job, {
    notOurs: [...job.notOurs, job.providerJobId ?? ''],
    status: 'claimed',
    providerJobId: null,
    foundBy: null,
    createStartedAt: null,
    createdAt: null,
  })
  store.notify()
}

/** Attempts of a move for an operator who sends it again, the first included. */
const maxAttempts = 5

/** `again`: the devices that stay untold are looked up once more. `resend`: open moves are tried again without that. */
export const resolveJob = (store: Store, batchId: number, kind: 'again' | 'resend'): void => {
  const job = store.job(batchId)
  const moves = openSeqs(job).map(seq => ({ seq: BigInt(seq), ...store.moveAt(job.route, seq) }))
  const names = new Set(moves.map(({ deviceName }) => deviceName))
  job.heldBecause = null
  job.releases += 1
  if (kind === 'again') job.lookUps = job.lookUps.filter(({ deviceName }) => !names.has(deviceName))
  else {
    const as = (job.endedAs ?? job.status) === 'interrupted' ? 'interrupted' : 'completed'
    settle(store, job, resentVerdicts(moves, as, maxAttempts), { as, mayLeave: false })
  }
  store.notify()
}
