/** The drive flow on ports in memory, in virtual time. Hours pass in a moment, and every call is on record. */
import { type MonoTypeOperatorFunction, type Observable, ReplaySubject, type Subscription } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import type { FlowEvent } from '../../src/domain/flow-event'
import { defaultRefusalPolicy } from '../../src/domain/refusal'
import type { RouteFields } from '../../src/domain/route'
import { createDriver } from '../../src/flows/drive'
import type { Driver } from '../../src/flows/drive-options'
import { createRateLimiter } from '../../src/operators/rate-limit'
import { retryWithBackoff } from '../../src/operators/retry-with-backoff'
import { TransientError } from '../../src/ports/errors'
import type { JobApi, Operation } from '../../src/ports/job-api'
import type { DriveJournal } from '../../src/ports/journal'
import { createFakeJournal, type FakeJournal } from './fake-journal'
import {
  createSimulatedProvider,
  type SimulatedProvider,
  type SimulatedProviderOptions,
} from './simulated-provider'

/** Runs `body`, and then all that it has scheduled up to `untilMs` of virtual time. */
export const inVirtualTime = (untilMs: number, body: () => void): void => {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
  scheduler.run(({ flush }) => {
    scheduler.maxFrames = untilMs
    body()
    flush()
  })
}

export const routeTo = (target: string, more: Partial<RouteFields> = {}): RouteFields => ({
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-060a02m5',
  strategy: 0,
  targetInstanceIds: [target],
  targetUid: '1984000000000001',
  targetAliyunId: null,
  priority: 'normal',
  ...more,
})

/** A stream of random numbers by mulberry32: the same seed gives the same numbers. */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

let nextOffset = 0n

/** Appends `count` devices of one route, each with a request of its own. Their names are `prefix-000000` and so on. */
export const appendDevices = (
  journal: FakeJournal,
  route: RouteFields,
  prefix: string,
  count: number,
): void => {
  const requests = Array.from({ length: count }, (_, index) => {
    nextOffset += 1n
    return {
      position: { topic: 'requests', partition: 0, offset: nextOffset },
      requestId: `${prefix}/${index}`,
      route,
      deviceNames: [`${prefix}-${String(index).padStart(6, '0')}`],
      requestedAt: new Date(0),
      recordedAt: new Date(0),
      traceparent: null,
    }
  })
  const chunk = {
    clusterId: 'c',
    topic: 'requests',
    partition: 0,
    life: 1,
    continuesFrom: null,
    nextOffset: nextOffset + 1n,
    last: null,
    requests,
    rejections: [],
  }
  journal.intake.append(chunk).subscribe()
}

export interface VirtualDriverOptions {
  readonly seed?: number
  readonly batchMaxDevices?: number
  readonly shared?: number
  readonly createSettleMs?: number
  readonly maxAttempts?: number
  readonly journalLatencyMs?: number
  readonly quotaJobs?: number
  readonly lookUpMaxDevices?: number
  readonly overdueFactor?: number
  /** Wraps the journal that the driver sees. */
  readonly journal?: (journal: DriveJournal) => DriveJournal
}

export interface VirtualDriver {
  readonly journal: FakeJournal
  readonly events: FlowEvent[]
  readonly driver: Driver
  /** Subscribes the drive flow at the journal's present epoch. */
  start(): Subscription
  /** Claims no new batches; what is under way ends. */
  stop(): void
  /** How many events of the kind came so far. */
  seen(kind: FlowEvent['kind']): number
}

const perOperation: Readonly<Record<Operation, number>> = {
  create: 2,
  detail: 5,
  query: 10,
  list: 5,
  provisioning: 50,
}

export const createVirtualDriver = (provider: JobApi, options: VirtualDriverOptions = {}): VirtualDriver => {
  const { seed = 1, batchMaxDevices = 10_000, shared = 2, createSettleMs = 60_000, maxAttempts = 5 } = options
  const random = seeded(seed)
  const journal = createFakeJournal({
    batchMaxDevices,
    batchMaxWaitMs: 5_000,
    latencyMs: options.journalLatencyMs ?? 3,
  })
  const events: FlowEvent[] = []
  const stop$ = new ReplaySubject<void>(1)
  const again = <T>(): MonoTypeOperatorFunction<T> =>
    retryWithBackoff({
      shouldRetry: error => error instanceof TransientError,
      backoff: { backoffMs: 500, backoffMaxMs: 30_000 },
      random,
    })
  const driver = createDriver({
    api: () => provider,
    limiter: createRateLimiter({
      shared,
      perOperation,
      priority: ['create', 'detail', 'list', 'query', 'provisioning'],
      yielding: ['provisioning'],
      passedOverAtMost: 19,
      windowMs: 1_000,
      marginMs: 20,
      deadlineMs: 20_000,
    }),
    changes$: journal.changes,
    policies: {
      quotaJobs: options.quotaJobs ?? 10,
      createSettleMs,
      attempts: { maxAttempts, backoffMs: 30_000, backoffMaxMs: 3_600_000 },
      refusals: defaultRefusalPolicy,
      lookUpMaxDevices: options.lookUpMaxDevices ?? 0,
      overdueFactor: options.overdueFactor ?? 10,
      restMs: 5_000,
    },
    observe: event => events.push(event),
    random,
    stop$: stop$ as Observable<unknown>,
    again,
  })
  return {
    journal,
    events,
    driver,
    start: () => {
      const real = journal.drive(journal.store.lease.epoch)
      return driver.drive(options.journal?.(real) ?? real, () => true).subscribe()
    },
    stop: () => stop$.next(),
    seen: kind => events.filter(event => event.kind === kind).length,
  }
}

const jitter = (random: () => number): number => 20 + 180 * random()

export interface VirtualRun {
  readonly driver: VirtualDriver
  readonly provider: SimulatedProvider
  readonly counts: ReturnType<FakeJournal['recount']>
  /** Devices that the provider has moved more than once. */
  readonly movedTwice: readonly string[]
}

/** Runs a driver on a simulated provider with jitter on its wire, up to `untilMs` of virtual time. */
export const runVirtualDriver = (
  untilMs: number,
  providerOptions: SimulatedProviderOptions,
  options: VirtualDriverOptions & {
    /** What the driver sees of the provider. Default: all of it. */
    readonly api?: (provider: SimulatedProvider) => JobApi
  },
  body: (driver: VirtualDriver, provider: SimulatedProvider) => void,
): VirtualRun => {
  const provider = createSimulatedProvider({
    random: seeded(options.seed ?? 1),
    latencyMs: jitter,
    ...providerOptions,
  })
  const driver = createVirtualDriver(options.api?.(provider) ?? provider, options)
  inVirtualTime(untilMs, () => body(driver, provider))
  const movedTwice = [...provider.moves].filter(([, times]) => times > 1).map(([device]) => device)
  return { driver, provider, counts: driver.journal.recount(), movedTwice }
}
