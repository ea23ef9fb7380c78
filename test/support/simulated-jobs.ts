import { asyncScheduler, Subscription, timer } from 'rxjs'
import type { Whereabouts } from '../../src/domain/look-up'
import type { RouteFields } from '../../src/domain/route'
import type { ListedJob, ListPage, ListQuery, ResultRow } from '../../src/ports/job-api'

export interface SimulatedJob {
  readonly providerJobId: string
  readonly route: RouteFields
  /** Empty for foreign jobs, which only have a total. */
  readonly deviceNames: readonly string[]
  readonly total: number
  /** By the provider's clock (skew included). */
  readonly createdAt: number
  readonly foreign: boolean
}

/** How a device fares. `missing`: not moved and no row. `moved-unreported`: moved, but the file has no row. */
export type DeviceResult =
  | { readonly code: string; readonly message?: string }
  | 'missing'
  | 'moved-unreported'

/** An interrupted job has moved the first half of its devices; its file, if any, has rows for those only. */
export type JobEnd = 'completed' | 'interrupted' | 'interrupted-without-file'

export interface SimulatedJobsOptions {
  readonly durationMs: (devices: number) => number
  readonly initialisingMs: number
  readonly listLagMs: () => number
  readonly pageSize: number
  readonly clockSkewMs: number
  readonly accountUid: string
  readonly resultOf: ((deviceName: string, timesSent: number) => DeviceResult) | undefined
  readonly onStart: ((job: SimulatedJob) => void) | undefined
  readonly endOf: ((job: SimulatedJob) => JobEnd) | undefined
  readonly isForgotten: ((job: SimulatedJob) => boolean) | undefined
}

interface Entry {
  readonly job: SimulatedJob
  readonly startsAt: number
  /** Not in the List before. */
  readonly listedAt: number
  end: JobEnd | null
  /** In the List no longer, and unknown to every call. */
  isForgotten: boolean
  rows: ReadonlyMap<string, ResultRow> | null
}

export interface SimulatedJobs {
  /** How often each `productKey/deviceName` was really moved. */
  readonly moves: ReadonlyMap<string, number>
  /** How often each `productKey/deviceName` was in a job. */
  readonly sent: ReadonlyMap<string, number>
  readonly jobs: readonly SimulatedJob[]
  start(route: RouteFields, deviceNames: readonly string[]): SimulatedJob
  startForeign(route: RouteFields, total: number, durationMs: number): SimulatedJob
  open(): number
  maxOpen(): number
  find(providerJobId: string): ListedJob | null
  page(query: ListQuery): ListPage
  /** null: unknown, not ended, or ended without a file. */
  rowsOf(providerJobId: string): ReadonlyMap<string, ResultRow> | null
  /** null: no job ever named the device. */
  whereIs(productKey: string, deviceName: string): Whereabouts | null
  close(): void
}

const MOVED: ResultRow = { code: '200', message: null }

const bump = (counts: Map<string, number>, key: string): number => {
  const next = (counts.get(key) ?? 0) + 1
  counts.set(key, next)
  return next
}

/** The provider's jobs on rxjs's clock. A job runs on whatever becomes of those who asked for it. */
export const createSimulatedJobs = (options: SimulatedJobsOptions): SimulatedJobs => {
  const entries: Entry[] = []
  const byId = new Map<string, Entry>()
  const totals = new Map<string, number>()
  const moves = new Map<string, number>()
  const sent = new Map<string, number>()
  /** Where each device is by its first job's word, and the job that brought it there, if one did. */
  const homes = new Map<string, string>()
  const broughtBy = new Map<string, { readonly job: SimulatedJob; readonly at: number }>()
  const running = new Subscription()
  let open = 0
  let maxOpen = 0

  const providerNow = (): number => asyncScheduler.now() + options.clockSkewMs

  const carryOut = ({ job }: Entry, end: JobEnd): ReadonlyMap<string, ResultRow> => {
    if (job.foreign) return new Map(Array.from({ length: job.total }, (_, at) => [`foreign-${at}`, MOVED]))
    const rows = new Map<string, ResultRow>()
    const reached = end === 'completed' ? job.deviceNames.length : Math.floor(job.deviceNames.length / 2)
    for (const name of job.deviceNames.slice(0, reached)) {
      const key = `${job.route.productKey}/${name}`
      const result = options.resultOf?.(name, sent.get(key) ?? 0) ?? MOVED
      if (result === 'moved-unreported' || (result !== 'missing' && result.code === '200')) {
        bump(moves, key)
        broughtBy.set(key, { job, at: providerNow() })
      }
      if (typeof result !== 'string') rows.set(name, { code: result.code, message: result.message ?? null })
    }
    return rows
  }

  const begin = (job: SimulatedJob, durationMs: number): SimulatedJob => {
    const entry: Entry = {
      job,
      startsAt: asyncScheduler.now() + options.initialisingMs,
      listedAt: asyncScheduler.now() + options.listLagMs(),
      end: null,
      isForgotten: false,
      rows: null,
    }
    options.onStart?.(job)
    entries.push(entry)
    byId.set(job.providerJobId, entry)
    bump(totals, job.route.productKey)
    open += 1
    maxOpen = Math.max(maxOpen, open)
    running.add(
      timer(durationMs).subscribe(() => {
        const end = options.endOf?.(job) ?? 'completed'
        const rows = carryOut(entry, end)
        entry.end = end
        entry.isForgotten = options.isForgotten?.(job) ?? false
        entry.rows = end === 'interrupted-without-file' ? null : rows
        open -= 1
      }),
    )
    return job
  }

  const newJob = (
    route: RouteFields,
    deviceNames: readonly string[],
    total: number,
    foreign: boolean,
  ): SimulatedJob => ({
    providerJobId: `${foreign ? 'Foreign' : 'Simulated'}${String(entries.length + 1).padStart(9, '0')}`,
    route,
    deviceNames,
    total,
    createdAt: providerNow(),
    foreign,
  })

  const statusOf = ({ end, startsAt }: Entry) => {
    if (end !== null) return end === 'completed' ? 2 : 3
    return asyncScheduler.now() < startsAt ? 0 : 1
  }
  const listed = (entry: Entry): ListedJob => ({
    providerJobId: entry.job.providerJobId,
    status: statusOf(entry),
    productKey: entry.job.route.productKey,
    sourceInstanceId: entry.job.route.sourceInstanceId,
    strategy: entry.job.route.strategy,
    targetInstanceIds: [...entry.job.route.targetInstanceIds].sort(),
    targetUid: entry.job.route.targetUid ?? options.accountUid,
    total: entry.job.total,
    createdAt: entry.job.createdAt,
  })

  return {
    moves,
    sent,
    get jobs() {
      return entries.map(entry => entry.job)
    },
    start: (route, deviceNames) => {
      for (const name of deviceNames) {
        const key = `${route.productKey}/${name}`
        bump(sent, key)
        if (!homes.has(key)) homes.set(key, route.sourceInstanceId)
      }
      return begin(
        newJob(route, deviceNames, deviceNames.length, false),
        options.durationMs(deviceNames.length),
      )
    },
    startForeign: (route, total, durationMs) => begin(newJob(route, [], total, true), durationMs),
    open: () => open,
    maxOpen: () => maxOpen,
    find: providerJobId => {
      const entry = byId.get(providerJobId)
      return entry && !entry.isForgotten ? listed(entry) : null
    },
    // Newest first; the token is the place of the last job shown, so jobs created meanwhile shift nothing.
    page: ({ productKey, nextToken }) => {
      const shown: ListedJob[] = []
      let at = nextToken === undefined ? entries.length : Number(nextToken)
      let more = false
      while (at > 0 && !more) {
        const entry = entries[at - 1]
        const wanted =
          entry &&
          !entry.isForgotten &&
          asyncScheduler.now() >= entry.listedAt &&
          (productKey === undefined || entry.job.route.productKey === productKey)
        if (wanted && shown.length === options.pageSize) more = true
        else {
          if (wanted) shown.push(listed(entry))
          at -= 1
        }
      }
      const total = productKey === undefined ? entries.length : (totals.get(productKey) ?? 0)
      return { jobs: shown, nextToken: more ? String(at) : null, total }
    },
    rowsOf: providerJobId => {
      const entry = byId.get(providerJobId)
      return entry === undefined || entry.isForgotten ? null : entry.rows
    },
    whereIs: (productKey, deviceName) => {
      const key = `${productKey}/${deviceName}`
      const [home, by] = [homes.get(key), broughtBy.get(key)]
      if (home === undefined) return null
      if (by === undefined)
        return { instanceId: home, cameFrom: home, sentAt: providerNow(), changedAt: providerNow() }
      const { targetInstanceIds, sourceInstanceId } = by.job.route
      return {
        instanceId: targetInstanceIds[0] ?? home,
        cameFrom: sourceInstanceId,
        sentAt: by.job.createdAt,
        changedAt: by.at,
      }
    },
    close: () => running.unsubscribe(),
  }
}
