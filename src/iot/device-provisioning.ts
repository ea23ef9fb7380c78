import { map, type Observable } from 'rxjs'
import type { Whereabouts } from '../domain/look-up'
import type { CallResult } from '../ports'
import { type Fields, fieldsOf, textOf, wholeNumberOf } from './answer-fields'
import type { FailureClassifier } from './classify-failure'
import type { Call } from './client'

/** null: it does not say where the device belongs, or speaks of another one. */
const readWhereabouts = (data: Fields, deviceName: string): Whereabouts | null => {
  const instanceId = textOf(data, 'TargetIotInstanceId')
  if (instanceId === null || (textOf(data, 'DeviceName') ?? deviceName) !== deviceName) return null
  return {
    instanceId,
    cameFrom: textOf(data, 'SourceIotInstanceId'),
    sentAt: wholeNumberOf(data, 'GmtCreate'),
    changedAt: wholeNumberOf(data, 'GmtModified'),
  }
}

/**
 * QueryDeviceProvisioning: where one device belongs. The page of it is
 * help.aliyun.com/zh/iot/developer-reference/api-querydeviceprovisioning-2018-01-20; what it answers for a device
 * that was never distributed is documented for the two times only.
 */
export const deviceProvisioning =
  (call: Call, classify: FailureClassifier) =>
  (productKey: string, deviceName: string): Observable<CallResult<Whereabouts>> =>
    call({
      action: 'QueryDeviceProvisioning',
      query: { ProductKey: productKey, DeviceName: deviceName },
    }).pipe(
      map(answer => {
        if (!answer.ok) return answer
        const found = readWhereabouts(fieldsOf(answer.value.Data), deviceName)
        return found === null
          ? classify.ofUselessAnswer('unknown', 'the answer does not say where the device is')
          : { ok: true, value: found }
      }),
    )
