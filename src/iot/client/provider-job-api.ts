import { map, type Observable } from 'rxjs'
import type { Whereabouts } from '../../domain/look-up'
import { isLoopback } from '../../domain/loopback'
import type { RouteFields } from '../../domain/route'
import type { CallResult, FetchedResults, JobApi } from '../../ports/job-api'
import { createHostCheck } from '../results/allowed-host'
import { type FetchedFile, fetchResultFile } from '../results/fetch-result-file'
import { parseResultFile } from '../results/parse-result-file'
import { createScrub, type Fields, fieldsOf, textOf, wholeNumberOf } from './answer-fields'
import { createFailureClassifier, defaultSlotsFullCodes, type FailureClassifier } from './failure-codes'
import { listJobs, queryJob } from './list-jobs'
import { type Call, type ClientOptions, createClient, type ProviderRequest } from './provider-client'

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

/** QueryDeviceDistributeDetail: a signed URL of the job's result file, valid for 10 minutes. Never log it. */
export const jobDetail =
  (call: Call) =>
  (providerJobId: string): Observable<CallResult<{ readonly url: string | null }>> =>
    call({ action: 'QueryDeviceDistributeDetail', query: { JobId: providerJobId } }).pipe(
      map(answer => (answer.ok ? { ok: true, value: { url: textOf(answer.value, 'File') } } : answer)),
    )

export interface JobApiOptions extends ClientOptions {
  /** Host names; `*.` in front stands for any subdomain. The endpoint's own host is added when that is loopback. */
  readonly resultFileHosts: readonly string[]
  /** Codes that mean "too many jobs are open". */
  readonly slotsFullCodes?: readonly string[]
}

const read = (fetched: FetchedFile, sent: readonly string[]): FetchedResults => {
  if (fetched.kind !== 'file') return fetched
  const parsed = parseResultFile(fetched.file.body, sent)
  const { file } = fetched
  if ('rows' in parsed) return { kind: 'rows', rows: parsed.rows, file }
  const { kind, problem } = parsed
  return kind === 'unreadable' ? { kind, message: problem, file } : { kind, file }
}

/** The provider over its signed API. Every failure is a value; no text it returns holds a secret. */
export const createJobApi = (options: JobApiOptions): JobApi => {
  const secrets = [options.accessKeyId, options.accessKeySecret, options.securityToken ?? '']
  const classify = createFailureClassifier(
    createScrub(secrets),
    options.slotsFullCodes ?? defaultSlotsFullCodes,
  )
  const call = createClient(options, classify)
  const { hostname } = new URL(options.endpoint)
  const check = createHostCheck([...options.resultFileHosts, ...(isLoopback(hostname) ? [hostname] : [])])

  return {
    create: createJob(call, classify),
    list: listJobs(call, classify),
    query: queryJob(call, classify),
    detail: jobDetail(call),
    provisioning: deviceProvisioning(call, classify),
    fetchResults: (url, sent) => fetchResultFile(url, { check }).pipe(map(fetched => read(fetched, sent))),
  }
}
