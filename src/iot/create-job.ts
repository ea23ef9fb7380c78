import { map, type Observable } from 'rxjs'
import type { RouteFields } from '../domain/route'
import type { CallResult } from '../ports'
import { textOf } from './answer-fields'
import type { FailureClassifier } from './classify-failure'
import type { Call, ProviderRequest } from './client'

const requestOf = (route: RouteFields, deviceNames: readonly string[]): ProviderRequest => ({
  action: 'CreateDeviceDistributeJob',
  // All of it in the body: 10,000 names are up to 1.1 MB, and no gateway takes such a URL.
  body: {
    ProductKey: route.productKey,
    SourceInstanceId: route.sourceInstanceId,
    Strategy: route.strategy,
    ...(route.targetUid === null ? {} : { TargetUid: route.targetUid }),
    ...(route.targetAliyunId === null ? {} : { TargetAliyunId: route.targetAliyunId }),
    TargetInstanceConfig: route.targetInstanceIds.map(TargetInstanceId => ({ TargetInstanceId })),
    DeviceName: deviceNames,
  },
})

/** CreateDeviceDistributeJob. There is no idempotency key: sent twice is two jobs. */
export const createJob =
  (call: Call, classify: FailureClassifier) =>
  (
    route: RouteFields,
    deviceNames: readonly string[],
  ): Observable<CallResult<{ readonly providerJobId: string }>> =>
    call(requestOf(route, deviceNames)).pipe(
      map(answer => {
        if (!answer.ok) return answer
        const providerJobId = textOf(answer.value, 'JobId')
        // A job there is, only nobody knows which: that is for reconciling.
        if (providerJobId === null)
          return classify.ofUselessAnswer('unanswered', 'created, but without a JobId')
        return { ok: true, value: { providerJobId } }
      }),
    )
