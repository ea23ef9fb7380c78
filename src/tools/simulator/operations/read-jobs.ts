/** The operations that read or delete jobs, and the one that looks up a device. */
import type { SimulatedJob } from '../account'
import { failure, type Result } from '../answer'
import type { Params } from '../call'
import { statusAt } from '../job-book'
import type { OperationHandler } from './call-context'

/** Where every instance is said to lie. */
const region = 'cn-shanghai'

/** A job as Query shows it. The inner key of the targets is in lower case in the provider's answers too. */
const queryFields = (job: SimulatedJob, accountUid: string, asOf: number) => ({
  GmtCreate: job.createdAt,
  JobId: job.jobId,
  ProductKey: job.productKey,
  SourceInstanceId: job.sourceInstanceId,
  SourceUid: accountUid,
  Status: statusAt(job, asOf),
  Strategy: job.strategy,
  TargetInstanceConfigs: {
    targetInstanceConfigs: job.targetInstanceIds.map(id => ({ TargetInstanceId: id })),
  },
  TargetUid: job.targetUid,
  Total: job.total,
})

/** A job as List shows it, with the names and regions of its instances. */
const listFields = (job: SimulatedJob, accountUid: string, asOf: number) => ({
  ...queryFields(job, accountUid, asOf),
  SourceInstanceName: job.sourceInstanceId,
  SourceRegion: region,
  TargetInstanceConfigs: {
    targetInstanceConfigs: job.targetInstanceIds.map(id => ({
      TargetInstanceId: id,
      TargetInstanceName: id,
      TargetRegion: region,
    })),
  },
})

/** The code is made up, since that of an unknown job is not documented. */
const jobNotFound = (): Result =>
  failure('iot.distribute.JobNotFound', 'The distribution job does not exist.')

/** Jobs on a page of List at most, and jobs that may be left out before a page. */
const MAX_PAGE = 200
const MAX_OFFSET = 10_000

const invalidPage = (message: string): Result => failure('iot.common.InvalidPageParams', message)

/** The page goes on after the job of this number; null: the token cannot be read. */
const readToken = (token: string): number | null => {
  const number = Number(
    Buffer.from(token, 'base64url')
      .toString('utf8')
      .replace(/^after:/, ''),
  )
  return Number.isInteger(number) && number > 0 ? number : null
}

const tokenAfter = (number: number) => Buffer.from(`after:${number}`).toString('base64url')

const wantedBy = (
  params: Params,
  asOf: number,
  isStatusHeeded: boolean,
): ((job: SimulatedJob) => boolean) => {
  const wants = (name: string, value: string) => {
    const wanted = params.get(name) ?? ''
    return wanted === '' || wanted === value
  }
  return job =>
    job.createdAt <= asOf &&
    wants('ProductKey', job.productKey) &&
    wants('TargetUid', job.targetUid) &&
    wants('JobId', job.jobId) &&
    (!isStatusHeeded || wants('Status', String(statusAt(job, asOf))))
}

/** In the order of `listOrder`. NextToken has precedence over CurrentPage; without it an offset above 10,000 is refused. */
export const listOperation: OperationHandler = (account, { params, at }) => {
  const { listLagMs, listStatus } = account.options
  const asOf = at - listLagMs
  if (listStatus === 'refused' && (params.get('Status') ?? '') !== '')
    return failure('iot.common.InvalidFormattedParameter', 'Status is not supported by this instance.')
  const size = Number(params.get('PageSize') ?? '')
  const page = Number(params.get('CurrentPage') ?? '1')
  const token = params.get('NextToken') ?? ''
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE) return invalidPage('PageSize must be 1 to 200.')
  if (!Number.isInteger(page) || page < 1) return invalidPage('CurrentPage must be 1 or more.')
  const after = token === '' ? null : readToken(token)
  if (token !== '' && after === null) return invalidPage('NextToken is not valid.')
  const skip = token === '' ? size * (page - 1) : 0
  if (skip > MAX_OFFSET) return invalidPage('The offset exceeds 10000: use NextToken.')
  const found = account.book.page({
    isWanted: wantedBy(params, asOf, listStatus === 'heeded'),
    after,
    skip,
    size,
  })
  return {
    ok: true,
    fields: {
      Data: {
        Total: found.total,
        NextToken: found.after === null ? '' : tokenAfter(found.after),
        JobInfo: { items: found.jobs.map(job => listFields(job, account.options.accountUid, asOf)) },
      },
    },
  }
}

export const queryOperation: OperationHandler = (account, { params, at }) => {
  const job = account.book.find(params.get('JobId') ?? '')
  if (job === undefined) return jobNotFound()
  return { ok: true, fields: { Data: queryFields(job, account.options.accountUid, at) } }
}

/**
 * A freshly signed URL of the result file. What the provider answers for a job without a file is not documented; here
 * the call succeeds and names no file. The code for a job that has not ended is made up.
 */
export const detailOperation: OperationHandler = (account, { params, at, origin }) => {
  const job = account.book.find(params.get('JobId') ?? '')
  if (job === undefined) return jobNotFound()
  if (statusAt(job, at) < 2)
    return failure('iot.distribute.JobNotFinished', 'The distribution job is not finished.')
  if (!job.fate.hasFile) return { ok: true, fields: {} }
  return { ok: true, fields: { File: account.links.make(origin, job.jobId, at) } }
}

/** Removes an ended job from List. For an open job nothing is documented; here it is refused with a made-up code. */
export const deleteOperation: OperationHandler = (account, { params, at }) => {
  const job = account.book.find(params.get('JobId') ?? '')
  if (job === undefined) return jobNotFound()
  if (statusAt(job, at) < 2)
    return failure('iot.distribute.JobNotFinished', 'The distribution job is not finished.')
  account.book.remove(job.jobId)
  return { ok: true, fields: {} }
}

/**
 * Where one device is, and when the job that brought it there was created and ended. A device that was never moved is
 * where the first create says that it is, as of now. A device that no create ever named is unknown.
 */
export const provisioningOperation: OperationHandler = (account, { params, at }) => {
  const productKey = params.get('ProductKey') ?? ''
  const deviceName = params.get('DeviceName') ?? ''
  if (productKey === '') return failure('iot.prod.NullProductKey', 'The ProductKey is empty.')
  if (deviceName === '') return failure('iot.device.NullDeviceName', 'The DeviceName is empty.')
  const found = account.whereIs(productKey, deviceName, at)
  if (found === null || !account.deviceExists(deviceName))
    return failure('iot.device.NotExistedDevice', 'The device does not exist.')
  return {
    ok: true,
    fields: {
      // Of all operations this one alone documents a code for success.
      Code: 'success',
      Data: {
        AliyunUid: account.options.accountUid,
        DeviceName: deviceName,
        ProductKey: productKey,
        GmtCreate: found.sentAt,
        GmtModified: found.changedAt,
        SourceIotInstanceId: found.cameFrom,
        SourceRegion: region,
        TargetIotInstanceId: found.instanceId,
        TargetRegion: region,
      },
    },
  }
}
