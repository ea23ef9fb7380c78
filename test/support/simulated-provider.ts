/** The provider in memory, as an implementation of the port, in virtual time. */
import { defer, delayWhen, map, timer } from 'rxjs'
import type { RouteFields } from '../../src/domain/route'
import type { CallFailure, CallResult, FetchedResults, JobApi, Operation } from '../../src/ports/job-api'
import type { ListOrder } from '../../src/tools/simulator/job-book'
import {
  contentTypeOf,
  createFileLinks,
  type FileFormat,
  renderResultFile,
} from '../../src/tools/simulator/result-file'
import type { CallAudit } from './call-audit'
import { createSimulatedJobs, type DeviceResult, type JobEnd, type SimulatedJob } from './simulated-jobs'
import { type CallFault, createSimulatedWire, FULL, failure } from './simulated-wire'

export interface SimulatedProviderOptions {
  /** Time one way, drawn for each way, ms. Default: 40. */
  readonly latencyMs?: number | ((random: () => number) => number)
  /** For `latencyMs` and `jobMs`. Default: always one half. */
  readonly random?: () => number
  /** The caller's deadline: a call without an answer is `unanswered` then, ms. Default: 20,000. */
  readonly callTimeoutMs?: number
  /** How long a job takes, ms. Default: 30,000, and 3 for each device. `jobMs` replaces both. */
  readonly jobBaseMs?: number
  readonly jobPerDeviceMs?: number
  readonly jobMs?: (devices: number, random: () => number) => number
  /** How long a new job is in status 0, ms. Default: 0. */
  readonly initialisingMs?: number
  /** Jobs that may be open at once, foreign ones included; a create beyond that is refused. Default: 10. */
  readonly maxOpenJobs?: number
  /** Calls in a sliding second, refused ones included, beyond which a call is throttled. Default: no cap. */
  readonly qps?: { readonly shared?: number } & Partial<Readonly<Record<Operation, number>>>
  /** The answer to a create beyond the job limit. Default: `slots-full`. */
  readonly full?: CallFailure
  /** Decides about each create below the job limit: the refusal, or null to carry it out. Default: null. */
  readonly refuse?: (route: RouteFields, deviceNames: readonly string[]) => CallFailure | null
  /** After how long List shows a new job, drawn for each job, ms. Default: 0. */
  readonly listLagMs?: () => number
  /** Jobs on a page of List. Default: 200. */
  readonly pageSize?: number
  /** Default: newest first. */
  readonly listOrder?: ListOrder
  /** What List makes of a status that a call asks for. Default: `heeded`. */
  readonly listStatus?: 'heeded' | 'ignored' | 'refused'
  /** Decides about each call as it arrives; `n` counts the calls of its operation from 1. Default: `ok`. */
  readonly onCall?: (operation: Operation, n: number) => CallFault
  readonly resultOf?: (deviceName: string, timesSent: number) => DeviceResult
  readonly onJobStart?: (job: SimulatedJob) => void
  readonly onJobEnd?: (job: SimulatedJob) => JobEnd
  /** Decides for each job that ends whether no call knows it any longer. Default: false. */
  readonly isForgotten?: (job: SimulatedJob) => boolean
  /** Decides about each fetch of a result file; `n` counts all fetches from 1. Default: `ok`. */
  readonly onFetch?: (n: number) => 'ok' | 'expired' | 'unreachable' | 'unreadable'
  /** How long a URL of `detail` is valid, ms; it lives up to a second longer. Default: 600,000. */
  readonly urlValidMs?: number
  /** The provider's clock minus ours, ms. Default: 0. */
  readonly clockSkewMs?: number
  /** The `targetUid` that is shown for a job that was created with an Aliyun id. */
  readonly accountUid?: string
}

/** These codes are made up, since those of the provider are not documented. */
const CODES = {
  noJob: 'iot.distribute.JobNotFound',
  notEnded: 'iot.distribute.JobNotFinished',
  noDevice: 'iot.device.NotExistedDevice',
  noStatus: 'iot.common.InvalidFormattedParameter',
}

/** The host in the URLs of result files. */
const origin = 'https://results.simulated'
const format: FileFormat = { layout: 'json', codes: 'text', keys: 'pascal' }

export interface SimulatedProvider extends JobApi {
  readonly audit: CallAudit
  /** The ground truth, by `productKey/deviceName`: how often the device was moved, and how often it was in a job. */
  readonly moves: ReadonlyMap<string, number>
  readonly sent: ReadonlyMap<string, number>
  readonly jobs: readonly SimulatedJob[]
  /** How many jobs are open now, and the most that were open at once; foreign ones included. */
  openJobs(): number
  maxOpenJobs(): number
  /** Starts a job of somebody else in the same account, even beyond the job limit. */
  startForeignJob(route: RouteFields, total: number, durationMs: number): SimulatedJob
  /** Stops its timers. Only real time needs it. */
  stop(): void
}

/**
 * A provider on rxjs's clock alone. Once a call is subscribed it arrives and runs, even if the caller unsubscribes before
 * the answer; otherwise a pipeline that ends would take back its creates.
 */
export const createSimulatedProvider = (options: SimulatedProviderOptions = {}): SimulatedProvider => {
  const { callTimeoutMs = 20_000, urlValidMs = 600_000, qps = {}, latencyMs = 40 } = options
  const { jobBaseMs = 30_000, jobPerDeviceMs = 3, random = () => 0.5 } = options
  const oneWayMs = () => (typeof latencyMs === 'number' ? latencyMs : latencyMs(random))
  const wire = createSimulatedWire({ latencyMs: oneWayMs, callTimeoutMs, qps, onCall: options.onCall })
  const { call } = wire
  const links = createFileLinks('files', urlValidMs)
  let fetches = 0
  const jobs = createSimulatedJobs({
    maxOpenJobs: options.maxOpenJobs ?? 10,
    durationMs: devices => options.jobMs?.(devices, random) ?? jobBaseMs + jobPerDeviceMs * devices,
    initialisingMs: options.initialisingMs ?? 0,
    listLagMs: options.listLagMs ?? (() => 0),
    pageSize: options.pageSize ?? 200,
    listOrder: options.listOrder ?? 'newest-first',
    isStatusHeeded: (options.listStatus ?? 'heeded') === 'heeded',
    clockSkewMs: options.clockSkewMs ?? 0,
    accountUid: options.accountUid ?? '1984000000000001',
    resultOf: options.resultOf,
    onStart: options.onJobStart,
    endOf: options.onJobEnd,
    isForgotten: options.isForgotten,
  })

  const create = (
    route: RouteFields,
    deviceNames: readonly string[],
  ): CallResult<{ providerJobId: string }> => {
    if (jobs.isFull()) return options.full ?? FULL
    const refusal = options.refuse?.(route, deviceNames) ?? null
    if (refusal !== null) return refusal
    return { ok: true, value: { providerJobId: jobs.start(route, deviceNames).providerJobId } }
  }
  const detail = (providerJobId: string): CallResult<{ url: string | null }> => {
    if ((jobs.find(providerJobId)?.status ?? 0) < 2)
      return failure('unknown', CODES.notEnded, `job ${providerJobId} is not known, or has not ended`)
    if (jobs.fileOf(providerJobId) === null) return { ok: true, value: { url: null } }
    return { ok: true, value: { url: links.make(origin, providerJobId, jobs.now()) } }
  }
  const fetched = (url: string, names: readonly string[] | null): FetchedResults => {
    fetches += 1
    const fault = options.onFetch?.(fetches) ?? 'ok'
    if (fault === 'unreachable') return { kind: 'unreachable', message: 'connection reset' }
    const { pathname, searchParams } = new URL(url, origin)
    const link = links.check(pathname, searchParams, jobs.now())
    const isOver = link.kind === 'refused' && link.code === 'AccessDenied'
    if (fault === 'expired' || isOver) return { kind: 'expired' }
    const found = link.kind === 'valid' ? jobs.fileOf(link.jobId) : null
    if (found === null) return { kind: 'unreadable', message: 'no such file', file: null }
    if (fault === 'unreadable') {
      const html = { body: Buffer.from('<html></html>'), contentType: 'text/html' }
      return { kind: 'unreadable', message: 'HTML instead of a result file', file: html }
    }
    const wanted = names === null ? null : new Set(names)
    const rows = new Map(
      found.rows
        .filter(({ deviceName }) => wanted === null || wanted.has(deviceName))
        .map(({ deviceName, code, message }) => [deviceName, { code, message }]),
    )
    const body = Buffer.from(renderResultFile(format, found.productKey, found.rows))
    const file = { body, contentType: contentTypeOf(format) }
    if (rows.size === 0) return { kind: found.rows.length > 0 ? 'wrong-devices' : 'empty', file }
    return { kind: 'rows', rows, file }
  }

  return {
    audit: wire.audit,
    get moves() {
      return jobs.moves
    },
    sent: jobs.sent,
    get jobs() {
      return jobs.jobs
    },
    openJobs: jobs.open,
    maxOpenJobs: jobs.maxOpen,
    startForeignJob: jobs.startForeign,
    stop: () => {
      wire.stop()
      jobs.stop()
    },
    create: (route, deviceNames) => call('create', () => create(route, [...deviceNames])),
    list: query =>
      call('list', () =>
        query.status !== undefined && options.listStatus === 'refused'
          ? failure('batch-refused', CODES.noStatus, 'Status is not supported by this instance')
          : { ok: true, value: jobs.page(query) },
      ),
    query: providerJobId =>
      call('query', () => {
        const job = jobs.find(providerJobId)
        return job ? { ok: true, value: job } : failure('unknown', CODES.noJob, `no job ${providerJobId}`)
      }),
    detail: providerJobId => call('detail', () => detail(providerJobId)),
    provisioning: (productKey, deviceName) =>
      call('provisioning', () => {
        const found = jobs.whereIs(productKey, deviceName)
        return found === null
          ? failure('batch-refused', CODES.noDevice, `no device ${deviceName}`)
          : { ok: true, value: found }
      }),
    // A fetch only reads, so it may end with its caller. The URL is checked when the request arrives.
    fetchResults: (url, names) =>
      defer(() => timer(oneWayMs())).pipe(
        map(() => fetched(url, names)),
        delayWhen(() => timer(oneWayMs())),
      ),
  }
}
