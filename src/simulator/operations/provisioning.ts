import { failure } from '../answer'
import type { OperationHandler } from './call-context'
import { region } from './job-fields'

/**
 * Where one device is, and when the job that brought it there was created and ended; never moved: where it is said
 * to be, now. A device that no create ever named is unknown here.
 */
export const provisioningOperation: OperationHandler = (account, { params, at }) => {
  const productKey = params.get('ProductKey') ?? ''
  const deviceName = params.get('DeviceName') ?? ''
  if (productKey === '') return failure('iot.prod.NullProductKey', 'The ProductKey is empty.')
  if (deviceName === '') return failure('iot.device.NullDeviceName', 'The DeviceName is empty.')
  const device = account.truth.find(productKey, deviceName)
  if (device === null || !account.deviceExists(deviceName))
    return failure('iot.device.NotExistedDevice', 'The device does not exist.')
  const last = device.moves.at(-1)
  return {
    ok: true,
    fields: {
      // Of all operations this one alone documents a code for success.
      Code: 'success',
      Data: {
        AliyunUid: account.options.accountUid,
        DeviceName: deviceName,
        ProductKey: productKey,
        GmtCreate: Math.floor(account.book.find(last?.jobId ?? '')?.createdAt ?? last?.at ?? at),
        GmtModified: Math.floor(last?.at ?? at),
        SourceIotInstanceId: last?.from ?? device.instanceId,
        SourceRegion: region,
        TargetIotInstanceId: device.instanceId,
        TargetRegion: region,
      },
    },
  }
}
