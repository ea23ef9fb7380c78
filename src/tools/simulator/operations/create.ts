import type { Account } from '../account'
import { failure, type Result } from '../answer'
import { listOf, type Params } from '../call'
import type { JobOrder } from '../job-book'
import type { OperationHandler } from './call-context'

const deviceNamePattern = /^[\w@.:-]{4,32}$/

interface Order extends JobOrder {
  readonly deviceNames: readonly string[]
}

const malformed = (what: string) =>
  failure('iot.common.InvalidFormattedParameter', `${what} is not well formatted.`)

const namesProblem = (account: Account, deviceNames: readonly string[]): Result | null => {
  if (deviceNames.length === 0)
    return failure('iot.device.NoneDeviceNameElement', 'The list of device names is empty.')
  if (deviceNames.length > account.options.maxDevices)
    return failure('iot.device.DeviceCountExceeded', 'The number of devices exceeds the maximum.')
  if (!deviceNames.every(name => deviceNamePattern.test(name)))
    return failure('iot.device.InvalidFormattedDeviceName', 'A device name is not well formatted.')
  // Whether one bad device fails its row or the whole create is not documented, so an option decides.
  if (account.options.missingDevice === 'whole' && !deviceNames.every(account.deviceExists))
    return failure('iot.device.NotExistedDevice', 'A device does not exist.')
  return null
}

const routeProblem = (account: Account, order: JobOrder): Result | null => {
  if (order.productKey === '') return failure('iot.prod.NullProductKey', 'The ProductKey is empty.')
  if (order.sourceInstanceId === '') return malformed('SourceInstanceId')
  if (order.targetInstanceIds.length === 0) return malformed('TargetInstanceConfig')
  if (order.strategy !== 0 && order.strategy !== 1) return malformed('Strategy')
  if (order.strategy === 0 && order.targetInstanceIds.length > 1) return malformed('TargetInstanceConfig')
  if (order.targetInstanceIds.includes(order.sourceInstanceId))
    return failure('iot.system.InstanceIdSame', 'The source instance is the target instance.')
  if (![order.sourceInstanceId, ...order.targetInstanceIds].every(account.instanceExists))
    return failure('iot.system.InstanceNotFound', 'The instance does not exist.')
  if (order.targetUid === '') return failure('iot.system.UidNotFound', 'The account does not exist.')
  return null
}

const readOrder = (account: Account, params: Params): Order => {
  const deviceNames = [...new Set(listOf(params, 'DeviceName'))]
  const strategy = params.get('Strategy') ?? ''
  return {
    deviceNames,
    total: deviceNames.length,
    productKey: params.get('ProductKey') ?? '',
    sourceInstanceId: params.get('SourceInstanceId') ?? '',
    targetInstanceIds: listOf(params, 'TargetInstanceConfig', '.TargetInstanceId'),
    strategy: /^\d+$/.test(strategy) ? Number(strategy) : -1,
    // Moves are possible within one account only, so a login stands for the account's own id.
    targetUid: params.get('TargetUid') ?? (params.get('TargetAliyunId') ? account.options.accountUid : ''),
  }
}

/** Checks what the provider is known to check, then the job limit, and opens the job. */
export const createOperation: OperationHandler = (account, { params, at, fate }) => {
  const { deviceNames, ...order } = readOrder(account, params)
  const problem = routeProblem(account, order) ?? namesProblem(account, deviceNames)
  if (problem !== null) return problem
  const job = account.openJob(order, deviceNames, at, fate)
  if (job === null)
    return failure(
      account.options.jobsFullCode,
      'The number of distribution jobs of the account exceeds the maximum.',
    )
  return { ok: true, fields: { JobId: job.jobId } }
}
