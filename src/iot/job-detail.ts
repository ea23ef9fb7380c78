import { map, type Observable } from 'rxjs'
import type { CallResult } from '../ports'
import { textOf } from './answer-fields'
import type { Call } from './client'

/** QueryDeviceDistributeDetail: a signed URL of the job's result file, valid for 10 minutes. Never log it. */
export const jobDetail =
  (call: Call) =>
  (providerJobId: string): Observable<CallResult<{ readonly url: string | null }>> =>
    call({ action: 'QueryDeviceDistributeDetail', query: { JobId: providerJobId } }).pipe(
      map(answer => (answer.ok ? { ok: true, value: { url: textOf(answer.value, 'File') } } : answer)),
    )
