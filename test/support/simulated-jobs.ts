/**
 * The provider's jobs in virtual time: the rules of `src/tools/simulator` on rxjs's clock, with choices that a test makes.
 * A job runs to its end whatever becomes of the caller that created it.
 */
import { asyncScheduler, Subscription, timer } from 'rxjs'
import type { Whereabouts } from '../../src/domain/look-up'
import type { RouteFields } from '../../src/domain/route'
import type { ListedJob, ListPage, ListQuery } from '../../src/ports/job-api'
import {
  type BookedJob,
  type JobOrder,
  type JobTimes,
  type ListOrder,
  statusAt,
  type Timeline,
} from '../../src/tools/simulator/job-book'
import { createProviderRules, type DeviceDealt } from '../../src/tools/simulator/provider-rules'
import type { FileRow } from '../../src/tools/simulator/result-file'

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

/** What becomes of a device. `missing`: it is not moved and has no row. `moved-unreported`: it is moved and has no row. */
export type DeviceResult =
  | { readonly code: string; readonly message?: string }
  | 'missing'
  | 'moved-unreported'

/** An interrupted job moves the first half of its devices; its file, if it has one, has rows for those only. */
export type JobEnd = 'completed' | 'interrupted' | 'interrupted-without-file'

export interface SimulatedJobsOptions {
  /** Jobs that may be open at once, foreign ones included. */
  readonly maxOpenJobs: number
  readonly durationMs: (devices: number) => number
  readonly initialisingMs: number
  readonly listLagMs: () => number
  readonly pageSize: number
  readonly listOrder: ListOrder
  readonly isStatusHeeded: boolean
  readonly clockSkewMs: number
  readonly accountUid: string
  readonly resultOf: ((deviceName: string, timesSent: number) => DeviceResult) | undefined
  readonly onStart: ((job: SimulatedJob) => void) | undefined
  readonly endOf: ((job: SimulatedJob) => JobEnd) | undefined
  readonly isForgotten: ((job: SimulatedJob) => boolean) | undefined
}

interface Fate extends JobTimes {
  /** The instant from which List shows it, by the provider's clock. */
  readonly listedAt: number
}

export interface SimulatedJobs {
  /** How often each `productKey/deviceName` was really moved. */
  readonly moves: ReadonlyMap<string, number>
  /** How often each `productKey/deviceName` was in a job. */
  readonly sent: ReadonlyMap<string, number>
  readonly jobs: readonly SimulatedJob[]
  isFull(): boolean
  start(route: RouteFields, deviceNames: readonly string[]): SimulatedJob
  startForeign(route: RouteFields, total: number, durationMs: number): SimulatedJob
  open(): number
  maxOpen(): number
  find(providerJobId: string): ListedJob | null
  page(query: ListQuery): ListPage
  /** The job's result file; null: it is unknown, has not ended, or has ended without one. */
  fileOf(providerJobId: string): { readonly productKey: string; readonly rows: readonly FileRow[] } | null
  /** null: no job ever named the device. */
  whereIs(productKey: string, deviceName: string): Whereabouts | null
  /** The present instant by the provider's clock. */
  now(): number
  stop(): void
}

const moved = { code: '200' } as const

/** How a job ends, by the word of a test. */
const endings = {
  completed: { endsAs: 2, doneShare: 1, hasFile: true, isReadable: true },
  interrupted: { endsAs: 3, doneShare: 0.5, hasFile: true, isReadable: true },
  'interrupted-without-file': { endsAs: 3, doneShare: 0.5, hasFile: false, isReadable: false },
} as const

const dealtBy = (result: DeviceResult): DeviceDealt =>
  typeof result === 'string'
    ? { hasMoved: result === 'moved-unreported', row: null }
    : { hasMoved: result.code === '200', row: { code: result.code, message: result.message ?? null } }

export const createSimulatedJobs = (options: SimulatedJobsOptions): SimulatedJobs => {
  const { clockSkewMs, accountUid } = options
  const running = new Subscription()
  const sent = new Map<string, number>()
  /** By JobId; forgotten jobs are included. */
  const jobs = new Map<string, SimulatedJob>()
  const now = (): number => asyncScheduler.now() + clockSkewMs

  /** Each thing that is planned has a timer of its own. */
  const timeline: Timeline = {
    plan: (at, run) => {
      running.add(timer(at - now()).subscribe(() => run(at)))
    },
  }
  const jobOf = ({ jobId }: BookedJob<Fate>): SimulatedJob => {
    const job = jobs.get(jobId)
    if (job === undefined) throw new Error(`there is no job ${jobId}`)
    return job
  }
  const { book, truth, ...rules } = createProviderRules<Fate>(
    {
      limit: { jobs: options.maxOpenJobs, jobsMode: 'open' },
      listOrder: options.listOrder,
      jobIdOf: (number, foreign) => `${foreign ? 'Foreign' : 'Simulated'}${String(number).padStart(9, '0')}`,
      endOf: booked => {
        const job = jobOf(booked)
        const end = options.endOf?.(job) ?? 'completed'
        return endings[end]
      },
      deal: ({ productKey }, { name }) =>
        dealtBy(options.resultOf?.(name, sent.get(`${productKey}/${name}`) ?? 0) ?? moved),
      targetOf: ({ targetInstanceIds }) => targetInstanceIds[0] ?? '',
      isForgotten: booked => options.isForgotten?.(jobOf(booked)) ?? false,
    },
    timeline,
  )

  const orderOf = (route: RouteFields, total: number): JobOrder => ({
    productKey: route.productKey,
    sourceInstanceId: route.sourceInstanceId,
    targetInstanceIds: [...route.targetInstanceIds].sort(),
    strategy: route.strategy,
    targetUid: route.targetUid ?? accountUid,
    total,
  })
  const fateOf = (durationMs: number): Fate => ({
    initMs: options.initialisingMs,
    runMs: Math.max(0, durationMs - options.initialisingMs),
    listedAt: now() + options.listLagMs(),
  })
  const begun = (
    booked: BookedJob<Fate> | null,
    route: RouteFields,
    deviceNames: readonly string[],
  ): SimulatedJob => {
    if (booked === null) throw new Error('the job limit is reached')
    const { jobId, total, createdAt, foreign } = booked
    const job = { providerJobId: jobId, route, deviceNames, total, createdAt, foreign }
    jobs.set(jobId, job)
    options.onStart?.(job)
    return job
  }

  const listed = (job: BookedJob<Fate>): ListedJob => ({
    providerJobId: job.jobId,
    status: statusAt(job, now()),
    productKey: job.productKey,
    sourceInstanceId: job.sourceInstanceId,
    strategy: job.strategy,
    targetInstanceIds: job.targetInstanceIds,
    targetUid: job.targetUid,
    total: job.total,
    createdAt: job.createdAt,
  })

  return {
    get moves() {
      const counts = new Map<string, number>()
      for (const { productKey, deviceName, moves } of truth.records())
        if (moves.length > 0) counts.set(`${productKey}/${deviceName}`, moves.length)
      return counts
    },
    sent,
    get jobs() {
      return [...jobs.values()]
    },
    isFull: () => book.isFull(now()),
    start: (route, deviceNames) => {
      for (const name of deviceNames) {
        const key = `${route.productKey}/${name}`
        sent.set(key, (sent.get(key) ?? 0) + 1)
      }
      const fate = fateOf(options.durationMs(deviceNames.length))
      const order = orderOf(route, deviceNames.length)
      return begun(rules.openJob(order, deviceNames, now(), fate), route, deviceNames)
    },
    startForeign: (route, total, durationMs) =>
      begun(rules.openForeignJob(orderOf(route, total), now(), fateOf(durationMs), true), route, []),
    open: () => book.openAt(now()).length,
    maxOpen: book.maxOpen,
    find: providerJobId => {
      const job = book.find(providerJobId)
      return job === undefined ? null : listed(job)
    },
    page: ({ productKey, status, nextToken }) => {
      const found = book.page({
        isWanted: job =>
          now() >= job.fate.listedAt &&
          (productKey === undefined || job.productKey === productKey) &&
          (status === undefined || !options.isStatusHeeded || statusAt(job, now()) === status),
        after: nextToken === undefined ? null : Number(nextToken),
        skip: 0,
        size: options.pageSize,
      })
      return {
        jobs: found.jobs.map(listed),
        nextToken: found.after === null ? null : String(found.after),
        total: found.total,
      }
    },
    fileOf: providerJobId => {
      const job = book.find(providerJobId)
      return job !== undefined && rules.hasFile(job)
        ? { productKey: job.productKey, rows: rules.rowsOf(job) }
        : null
    },
    whereIs: (productKey, deviceName) => rules.whereIs(productKey, deviceName, now()),
    now,
    stop: () => running.unsubscribe(),
  }
}
