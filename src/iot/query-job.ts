import { map, type Observable } from 'rxjs'
import type { CallResult, ListedJob } from '../ports'
import type { FailureClassifier } from './classify-failure'
import type { Call } from './client'
import { readListedJob } from './listed-job'

/** QueryDeviceDistributeJob: one job, where List is refused. */
export const queryJob =
  (call: Call, classify: FailureClassifier) =>
  (providerJobId: string): Observable<CallResult<ListedJob>> =>
    call({ action: 'QueryDeviceDistributeJob', query: { JobId: providerJobId } }).pipe(
      map(answer => {
        if (!answer.ok) return answer
        const job = readListedJob(answer.value.Data)
        return job
          ? { ok: true, value: job }
          : classify.ofUselessAnswer('unknown', 'the job is not as documented')
      }),
    )
