/** The provider as the port sees it: each operation is a request, a check of the answer, and a result. */
import { map, type Observable } from 'rxjs'
import type { Whereabouts } from '../../domain/look-up'
import { isLoopback } from '../../domain/loopback'
import type { RouteFields } from '../../domain/route'
import type {
  CallResult,
  FetchedResults,
  JobApi,
  ListedJob,
  ListPage,
  ListQuery,
  ProviderStatus,
} from '../../ports/job-api'
import { createHostCheck } from '../results/allowed-host'
import { type FetchedFile, fetchResultFile } from '../results/fetch-result-file'
import { parseResultFile } from '../results/parse-result-file'
import { createScrub, type Fields, fieldsOf, listOf, textOf, wholeNumberOf } from './answer-fields'
import { createFailureClassifier, defaultSlotsFullCodes, type FailureClassifier } from './failure-codes'
import { type Call, type ClientOptions, createClient, type ProviderRequest } from './provider-client'

const requestOf = (route: RouteFields, deviceNames: readonly string[]): ProviderRequest => ({
  action: 'CreateDeviceDistributeJob',
  // All of it goes into the body: 10,000 names are up to 1.1 MB, and no gateway takes such a URL.
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

/** CreateDeviceDistributeJob. There is no idempotency key, so a request sent twice makes two jobs. */
const createJob =
  (call: Call, classify: FailureClassifier) =>
  (
    route: RouteFields,
    deviceNames: readonly string[],
  ): Observable<CallResult<{ readonly providerJobId: string }>> =>
    call(requestOf(route, deviceNames)).pipe(
      map(answer => {
        if (!answer.ok) return answer
        const providerJobId = textOf(answer.value, 'JobId')
        // There is a job, and reconciling has to find out which.
        if (providerJobId === null)
          return classify.ofUselessAnswer('unanswered', 'created, but without a JobId')
        return { ok: true, value: { providerJobId } }
      }),
    )

const statusOf = (value: number | null): ProviderStatus | null =>
  value === 0 || value === 1 || value === 2 || value === 3 ? value : null

/** A job as List and Query write it; null if a field that decisions rest on is missing or malformed. */
const readListedJob = (item: unknown): ListedJob | null => {
  const fields = fieldsOf(item)
  const providerJobId = textOf(fields, 'JobId')
  const status = statusOf(wholeNumberOf(fields, 'Status'))
  const productKey = textOf(fields, 'ProductKey')
  const sourceInstanceId = textOf(fields, 'SourceInstanceId')
  const strategy = wholeNumberOf(fields, 'Strategy')
  const total = wholeNumberOf(fields, 'Total')
  const createdAt = wholeNumberOf(fields, 'GmtCreate')
  if (providerJobId === null || status === null || productKey === null || sourceInstanceId === null)
    return null
  if (strategy === null || total === null || createdAt === null) return null

  // The documentation has the list inside a wrapper of its own name in lower case. A bare list is read as well.
  const targetInstanceIds = listOf(fields.TargetInstanceConfigs)
    .map(config => textOf(fieldsOf(config), 'TargetInstanceId'))
    .filter(id => id !== null)
    .sort()
  const targetUid = textOf(fields, 'TargetUid')
  return {
    providerJobId,
    status,
    productKey,
    sourceInstanceId,
    strategy,
    targetInstanceIds,
    targetUid,
    total,
    createdAt,
  }
}

/** The largest page that the provider allows. */
const pageSize = 200

const readPage = (body: Fields): ListPage | null => {
  const data = fieldsOf(body.Data)
  const jobs: ListedJob[] = []
  for (const item of listOf(data.JobInfo)) {
    const job = readListedJob(item)
    // A job that is left out would count as absent, and an absent job is created again.
    if (job === null) return null
    jobs.push(job)
  }
  const total = wholeNumberOf(data, 'Total')
  // An empty page without a total does not prove that there are no jobs.
  if (total === null && jobs.length === 0) return null
  return { jobs, nextToken: textOf(data, 'NextToken'), total: total ?? jobs.length }
}

/** ListDeviceDistributeJob: one page of the account's jobs, other people's included. */
const listJobs =
  (call: Call, classify: FailureClassifier) =>
  (query: ListQuery): Observable<CallResult<ListPage>> =>
    call({
      action: 'ListDeviceDistributeJob',
      query: {
        PageSize: String(pageSize),
        ...(query.productKey === undefined ? {} : { ProductKey: query.productKey }),
        ...(query.status === undefined ? {} : { Status: String(query.status) }),
        ...(query.nextToken === undefined ? { CurrentPage: '1' } : { NextToken: query.nextToken }),
      },
    }).pipe(
      map(answer => {
        if (!answer.ok) return answer
        const page = readPage(answer.value)
        return page
          ? { ok: true, value: page }
          : classify.ofUselessAnswer('unknown', 'the list of jobs is not as documented')
      }),
    )

/** QueryDeviceDistributeJob: one job, for where List is refused. */
const queryJob =
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

/** Null when the answer does not say where the device belongs, or is about another device. */
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
 * QueryDeviceProvisioning: where one device belongs. Its page is
 * help.aliyun.com/zh/iot/developer-reference/api-querydeviceprovisioning-2018-01-20. For a device that was never
 * distributed the page documents only the two times.
 */
const deviceProvisioning =
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

/** QueryDeviceDistributeDetail: a signed URL of the job's result file, valid for 10 minutes. It must not be logged. */
const jobDetail =
  (call: Call) =>
  (providerJobId: string): Observable<CallResult<{ readonly url: string | null }>> =>
    call({ action: 'QueryDeviceDistributeDetail', query: { JobId: providerJobId } }).pipe(
      map(answer => (answer.ok ? { ok: true, value: { url: textOf(answer.value, 'File') } } : answer)),
    )

export interface JobApiOptions extends ClientOptions {
  /** Host names; `*.` in front stands for any subdomain. The endpoint's own host is added when it is loopback. */
  readonly resultFileHosts: readonly string[]
  /** Further codes that mean "too many jobs are open". */
  readonly slotsFullCodes?: readonly string[]
}

const readResults = (fetched: FetchedFile, sent: readonly string[] | null): FetchedResults => {
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
  const scrub = createScrub(secrets)
  const classify = createFailureClassifier(scrub, [])
  const call = createClient(options, classify)
  // Only a create can find that too many jobs are open.
  const classifyCreate = createFailureClassifier(scrub, [
    ...defaultSlotsFullCodes,
    ...(options.slotsFullCodes ?? []),
  ])
  const { hostname } = new URL(options.endpoint)
  const check = createHostCheck([...options.resultFileHosts, ...(isLoopback(hostname) ? [hostname] : [])])

  return {
    create: createJob(createClient(options, classifyCreate), classifyCreate),
    list: listJobs(call, classify),
    query: queryJob(call, classify),
    detail: jobDetail(call),
    provisioning: deviceProvisioning(call, classify),
    fetchResults: (url, sent) =>
      fetchResultFile(url, { check }).pipe(map(fetched => readResults(fetched, sent))),
  }
}
