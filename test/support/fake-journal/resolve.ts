/** What an operator decides about an overdue job, as `src/postgres/job/resolve-job.ts` does it. */
import { givenUp } from '../../../src/domain/resolution'
import { jobAsStored } from './claim'
import { settle } from './drive'
import type { Store } from './store'

export const resolveRunning = (store: Store, batchId: number, as: 'absent' | 'fail'): void => {
  const job = store.job(batchId)
  if (job.status !== 'running') throw new Error(`job ${batchId} is ${job.status}`)
  job.releases += 1
  if (as === 'fail') {
    settle(store, job, givenUp(job.status, jobAsStored(store, job).moves), 'abandoned')
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
    lookUps: [],
  })
  store.notify()
}
