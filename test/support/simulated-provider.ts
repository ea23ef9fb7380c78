import { defer, delayWhen, map, timer } from 'rxjs'
import type { RouteFields } from '../../src/domain/route'
import type { CallFailure, CallResult, FetchedResults, JobApi, Operation } from '../../src/ports/job-api'
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
  /** One way, drawn for each way. Default 40. */
  readonly latencyMs?: number | ((random: () => number) => number)
  /** For `latencyMs` and `jobMs`. Default: always one half. */
  readonly random?: () => number
  /** The caller's deadline: a call without an answer is `unanswered` then. Default 20,000. */
  readonly callTimeoutMs?: number
  /** How long a job takes. Default 30,000 and 3 a device; `jobMs` replaces both. */
  readonly jobBaseMs?: number
  readonly jobPerDeviceMs?: number
  readonly jobMs?: (devices: number, random: () => number) => number
  /** How long a new job shows as status 0. Default 0. */
  readonly initialisingMs?: number
  /** Open jobs beyond which a create is refused, foreign ones included. Default 10. */
  readonly maxOpenJobs?: number
  /** Calls in a sliding second beyond which a call is throttled. Default: none is. */
  readonly qps?: { readonly shared?: number } & Partial<Readonly<Record<Operation, number>>>
  /** What a create meets when the slots are full, in place of `slots-full`. */
  readonly full?: CallFailure
  /** Asked for each create that would be carried out; null: it is. */
  readonly refuse?: (route: RouteFields, deviceNames: readonly string[]) => CallFailure | null
  /** For how long List does not show a new job yet, drawn for each. Default: at once. */
  readonly listLagMs?: () => number
  /** Jobs on a page of List. Default 200. */
  readonly pageSize?: number
  /** Asked once for each call, `n` 1-based for its operation, in order of arrival. */
  readonly onCall?: (operation: Operation, n: number) => CallFault
  readonly resultOf?: (deviceName: string, timesSent: number) => DeviceResult
  readonly onJobStart?: (job: SimulatedJob) => void
  readonly onJobEnd?: (job: SimulatedJob) => JobEnd
  /** Asked for each job that ends: no call knows it any longer. */
  readonly isForgotten?: (job: SimulatedJob) => boolean
  /** `n` is 1-based over all fetches. */
  readonly onFetch?: (n: number) => 'ok' | 'expired' | 'unreachable' | 'unreadable'
  /** How long a URL of `detail` can be fetched, up to a second longer. Default 600,000. */
  readonly urlValidMs?: number
  /** The provider's clock minus ours. */
  readonly clockSkewMs?: number
  /** `targetUid` shown for jobs created with an Aliyun id. */
  readonly accountUid?: string
}

/** Stand-ins: which codes the provider uses here is not documented. */
const CODES = {
  noJob: 'iot.distribute.JobNotFound',
  notEnded: 'iot.distribute.JobNotFinished',
  noDevice: 'iot.device.NotExistedDevice',
}

/** Where result files seem to lie. */
const origin = 'https://results.simulated'
const format: FileFormat = { layout: 'json', codes: 'text', keys: 'pascal' }

export interface SimulatedProvider extends JobApi {
  readonly audit: CallAudit
  /** Ground truth: how often each `productKey/deviceName` was really moved, and was in a job. */
  readonly moves: ReadonlyMap<string, number>
  readonly sent: ReadonlyMap<string, number>
  readonly jobs: readonly SimulatedJob[]
  /** Jobs open now, and the most that ever were at once; foreign ones included. */
  openJobs(): number
  maxOpenJobs(): number
  /** Somebody else's job in the same account; past any limit. */
  startForeignJob(route: RouteFields, total: number, durationMs: number): SimulatedJob
  /** Stops its timers (in real time; virtual time needs none of it). */
  close(): void
}

/**
 * The provider in memory, on rxjs's clock alone. It owns its wire: once a call is subscribed it arrives and runs,
 * even if the caller unsubscribes before the answer. Otherwise a disposed pipeline would take back its creates.
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
  const fetched = (url: string, names: readonly string[]): FetchedResults => {
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
    const wanted = new Set(names)
    const rows = new Map(
      found.rows
        .filter(({ deviceName }) => wanted.has(deviceName))
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
    close: () => {
      wire.close()
      jobs.close()
    },
    create: (route, deviceNames) => call('create', () => create(route, [...deviceNames])),
    list: query => call('list', () => ({ ok: true, value: jobs.page(query) })),
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
    // A read: it needs no wire of its own. The URL is judged when the request arrives.
    fetchResults: (url, names) =>
      defer(() => timer(oneWayMs())).pipe(
        map(() => fetched(url, names)),
        delayWhen(() => timer(oneWayMs())),
      ),
  }
}
