import { map, type Observable } from 'rxjs'
import type { CallResult } from '../ports'
import { textOf } from './answer-fields'
import type { FailureClassifier } from './classify-failure'
import type { Call } from './client'

/** QueryDeviceDistributeDetail: a signed URL of the job's result file, valid for 10 minutes. Never log it. */
export const jobDetail =
  (call: Call, classify: FailureClassifier) =>
  (providerJobId: string): Observable<CallResult<{ readonly url: string }>> =>
    call({ action: 'QueryDeviceDistributeDetail', query: { JobId: providerJobId } }).pipe(
      map(answer => {
        if (!answer.ok) return answer
        const url = textOf(answer.value, 'File')
        return url === null
          ? classify.ofUselessAnswer('unknown', 'the answer names no result file')
          : { ok: true, value: { url } }
      }),
    )
