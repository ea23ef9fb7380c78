/**
 * The whole service in virtual time, on the journal in memory, with a clock and a provider that the caller may bring.
 * Trials from outside enter here only, and the shape of `runWorld` stays, whatever moves behind it.
 */

import { concat, defer, map, merge, NEVER, of, config as rxjsConfig, timer } from 'rxjs'
import { type Environment, loadConfig } from '../src/app/config'
import { createService } from '../src/app/service'
import { policies, quota } from '../src/app/wiring'
import { messageOf } from '../src/domain/error-text'
import type { FlowEvent } from '../src/domain/flow-event'
import type { RouteFields } from '../src/domain/route'
import type { JobApi } from '../src/ports/job-api'
import type { DriveJournal, JournalChunk } from '../src/ports/journal'
import type { Lease } from '../src/ports/lease'
import type { OutcomeSink, SinkSession } from '../src/ports/outcome-sink'
import type { RequestSource, SourceChunk } from '../src/ports/request-source'
import { logNormal } from '../src/tools/simulator/random'
import { alwaysSound } from '../test/support/always-sound'
import { createFakeJournal } from '../test/support/fake-journal'
import { createSimulatedProvider, type SimulatedProvider } from '../test/support/simulated-provider'
import { createVirtualClock, runRxjsOn, type VirtualClock } from '../test/support/virtual-clock'
import { seeded } from '../test/support/virtual-driver'

export type { VirtualClock }

/** Moves that arrive together. */
export interface Lot {
  /** When they are there to be read, ms from the start of the run. */
  readonly at: number
  /** Their route, as its place in `routes`. */
  readonly route: number
  /** The index of the first of them; the others follow. A move's index also names its device, so it is given once. */
  readonly from: number
  /** How many they are. */
  readonly count: number
}

/** What a provider is made with. It may as well use rxjs's timers, which run on the same clock. */
export interface ProviderTools {
  readonly clock: VirtualClock
  /** 0 up to 1, by the world's seed. */
  readonly random: () => number
}

export interface WorldOptions<P extends JobApi> {
  /**
   * Keeps the virtual time: `now()` is the present instant in ms, `after(ms, act)` calls `act` once and returns what
   * takes that back, and `run(untilMs, isOver)` passes from timer to timer, until `isOver()`, until no timer is left, or
   * until the instant `untilMs`. During the run all timers of rxjs are this clock's. Default: `createVirtualClock`.
   */
  readonly clock?: VirtualClock
  /** The provider, as an implementation of the port or as a function that makes one. */
  readonly provider: P | ((tools: ProviderTools) => P)
  /** In any order. */
  readonly lots: readonly Lot[]
  /** The fields of each route; lots name them by their place here. Routes of different places are to differ. */
  readonly routes: readonly RouteFields[]
  /**
   * The service's environment variables as its contract has them (`QUOTA_QPS`, `QUOTA_JOBS`, `BATCH_MAX_DEVICES`,
   * `BATCH_MAX_WAIT_MS`, `RETRY_BACKOFF_MS`, …), read by the service's own configuration. Default: its defaults.
   */
  readonly env?: Environment
  /** All randomness comes from it: the same seed is the same run. Default: 1. */
  readonly seed?: number
  /** The mean time of earlier jobs, ms, which the journal remembers; null or nothing: there were no earlier jobs. */
  readonly warmMs?: number | null
  /** The run ends at this time even if moves are not settled, ms from its start. */
  readonly untilMs: number
  /** How long each step of the journal takes, ms. Default: 5. */
  readonly journalMs?: number
}

export interface WorldResult<P extends JobApi> {
  /** By the index of the move: when its final outcome was settled, ms from the start; null: it was not. */
  readonly settledAt: readonly (number | null)[]
  /** How many moves ended so. */
  readonly moved: number
  readonly failed: number
  /** When the last move was settled or, where some were not, when the run gave up, ms from its start. */
  readonly endedAt: number
  /** Calls that were answered or given up, by operation. */
  readonly calls: Readonly<Record<string, number>>
  /** Calls that the provider refused as too many, and creates that it refused since too many jobs were open. */
  readonly throttled: number
  readonly slotsFull: number
  /** Jobs created. */
  readonly jobs: number
  /** Errors that the service did not foresee; none in a sound run. */
  readonly defects: readonly string[]
  /** The provider as it stands at the end. */
  readonly provider: P
}

const topic = 'lots'
/** A request names at most this many devices. */
const maxNames = 10_000
const neverBefore = new Date(0)

const deviceNameOf = (index: number): string => `move-${index}`
const indexOf = (deviceName: string): number => Number(deviceName.slice('move-'.length))

/** Each lot is a partition of its own, so none waits for another. The chunk says only that the lot is there. */
const sourceOf = (lots: readonly Lot[]): RequestSource => ({
  clusterId: () => of('world'),
  committed: () => of({ clusterId: 'world', topic, offsets: new Map() }),
  health$: of({ state: 'assigned', reason: null }),
  chunks: () =>
    merge(
      ...lots.map(({ at }, partition) =>
        timer(at).pipe(
          map((): SourceChunk => {
            const position = { topic, partition, offset: 0n }
            return {
              topic,
              partition,
              life: 1,
              continuesFrom: null,
              records: [{ position, key: null, value: null, headers: {}, timestampMs: 0 }],
              done: () => undefined,
              fail: reason => {
                throw reason
              },
            }
          }),
        ),
      ),
      NEVER,
    ),
})

const journalChunksOf = function* (
  { lots, routes }: Pick<WorldOptions<JobApi>, 'lots' | 'routes'>,
  partition: number,
): Iterable<JournalChunk> {
  const lot = lots[partition]
  const route = routes[lot?.route ?? -1]
  if (lot === undefined || route === undefined) throw new Error(`lot ${partition} names no route`)
  for (let start = 0; start < lot.count; start += maxNames) {
    const offset = BigInt(start / maxNames)
    const length = Math.min(maxNames, lot.count - start)
    yield {
      clusterId: 'world',
      topic,
      partition,
      life: 1,
      continuesFrom: null,
      nextOffset: offset + 1n,
      last: null,
      rejections: [],
      requests: [
        {
          position: { topic, partition, offset },
          requestId: `lot-${partition}`,
          route,
          deviceNames: Array.from({ length }, (_, at) => deviceNameOf(lot.from + start + at)),
          requestedAt: neverBefore,
          recordedAt: neverBefore,
          traceparent: null,
        },
      ],
    }
  }
}

/** Nobody else drives, and nobody called before. */
const onlyLease: Lease = {
  hold: () => concat(of({ kind: 'held', epoch: 1n, mayCall: () => true } as const), NEVER),
}

const sinkOf = (onFinal: (index: number, outcome: string, settledAt: Date) => void): OutcomeSink => {
  const session: SinkSession = {
    position: null,
    publish: ({ outcomes }) =>
      defer(() => {
        for (const { deviceName, outcome, final, settledAt } of outcomes)
          if (final && deviceName !== null) onFinal(indexOf(deviceName), outcome, settledAt)
        return of(undefined)
      }),
  }
  return { position: () => of(null), open: () => concat(of(session), NEVER) }
}

const configOf = (env: Environment) => {
  const loaded = loadConfig(env)
  if (!loaded.ok) throw new Error(loaded.problems.join('; '))
  return loaded.config
}

/** Runs the service until every move of every lot is settled, or until `untilMs`. */
export const runWorld = <P extends JobApi>(options: WorldOptions<P>): WorldResult<P> => {
  const { lots, seed = 1, warmMs = null, untilMs, journalMs = 5 } = options
  const config = configOf(options.env ?? {})
  /** A stream of its own for each concern, so that a change in one leaves the others as they were. */
  const stream = (which: number): (() => number) => seeded(seed * 7_919 + which * 104_729)
  const clock = options.clock ?? createVirtualClock({ random: stream(1) })
  const startAt = clock.now()

  const settledAt = new Array<number | null>(
    lots.reduce((most, { from, count }) => Math.max(most, from + count), 0),
  ).fill(null)
  const wanted = lots.reduce((sum, { count }) => sum + count, 0)
  const endings = { moved: 0, failed: 0 }
  let settled = 0
  const sink = sinkOf((index, outcome, at) => {
    if (settledAt[index] === null) settled += 1
    settledAt[index] = at.getTime() - startAt
    endings[outcome === 'moved' ? 'moved' : 'failed'] += 1
  })

  const calls: Record<string, number> = {}
  const defects: string[] = []
  const counts = { throttled: 0, slotsFull: 0, jobs: 0 }
  const observe = (event: FlowEvent): void => {
    if (event.kind === 'defect') defects.push(`${event.flow}: ${messageOf(event.error)}`)
    if (event.kind === 'job-created') counts.jobs += 1
    if (event.kind !== 'call-ended') return
    calls[event.operation] = (calls[event.operation] ?? 0) + 1
    if (event.result === 'throttled') counts.throttled += 1
    if (event.result === 'slots-full') counts.slotsFull += 1
  }

  const restoreRxjs = runRxjsOn(clock)
  const onUnhandled = rxjsConfig.onUnhandledError
  rxjsConfig.onUnhandledError = error => defects.push(`unhandled: ${messageOf(error)}`)
  try {
    const provider =
      typeof options.provider === 'function'
        ? options.provider({ clock, random: stream(2) })
        : options.provider
    const journal = createFakeJournal({
      batchMaxDevices: config.batchMaxDevices,
      batchMaxWaitMs: config.batchMaxWaitMs,
      latencyMs: journalMs,
    })
    const remembering = (own: DriveJournal): DriveJournal => ({ ...own, meanJobMs: () => of(warmMs) })
    const service = createService({
      soundness: alwaysSound,
      source: sourceOf(lots),
      toJournal: (_, { partition }) => journalChunksOf(options, partition),
      intakeJournal: journal.intake,
      driveJournal: epoch => remembering(journal.drive(epoch)),
      outbox: journal.outbox,
      changes$: journal.changes,
      api: () => provider,
      lease: onlyLease,
      sink,
      publisher: 'world',
      policies: policies(config),
      quota: quota(config),
      callTimeoutMs: config.callTimeoutMs,
      observe,
      random: stream(3),
    })
    const running = service.run$.subscribe({ error: error => defects.push(`ended: ${messageOf(error)}`) })
    clock.run(startAt + untilMs, () => settled === wanted)
    running.unsubscribe()
    return { settledAt, ...endings, endedAt: clock.now() - startAt, calls, ...counts, defects, provider }
  } finally {
    restoreRxjs()
    rxjsConfig.onUnhandledError = onUnhandled
  }
}

export interface WorldProviderOptions {
  /** Mean time of a full job, ms: half of it is fixed, the other half grows with its devices. */
  readonly fullJobMs: number
  /** Devices of a full job. Default: 10,000. */
  readonly fullJobDevices?: number
  /** The spread of job times: the standard deviation of their logarithm. Default: 0.25. */
  readonly sigma?: number
  /** Shortest and longest time there and back of a call, ms. Default: 40 and 120. */
  readonly roundTripMs?: readonly [number, number]
  /** Calls in any second, all operations together. Default: 2. */
  readonly qps?: number
  /** Jobs open at once. Default: 10. */
  readonly jobs?: number
}

/**
 * A provider for a first trial: it refuses whatever is beyond its quota, and moves every device. Its `audit` tells
 * when calls arrived.
 */
export const createWorldProvider =
  (options: WorldProviderOptions): ((tools: ProviderTools) => SimulatedProvider) =>
  ({ random }) => {
    const {
      fullJobMs,
      fullJobDevices = 10_000,
      sigma = 0.25,
      roundTripMs: [least, most] = [40, 120],
    } = options
    // The factor's median is 1, so its mean is this.
    const half = fullJobMs / 2 / Math.exp(sigma ** 2 / 2)
    return createSimulatedProvider({
      random,
      latencyMs: draw => (least + (most - least) * draw()) / 2,
      jobMs: (devices, draw) => (half + (half * devices) / fullJobDevices) * logNormal(draw, sigma),
      maxOpenJobs: options.jobs ?? 10,
      qps: { shared: options.qps ?? 2, create: 2, detail: 5, query: 10, list: 5, provisioning: 50 },
    })
  }
