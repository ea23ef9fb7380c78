/** All that one run consists of: the world outside, and the replicas that come and go in it. */
import type { FlowEvent } from '../../src/domain/flow-event'
import { createFakeJournal, type FakeJournal } from '../support/fake-journal'
import { createFakeOutcomeSink, type FakeOutcomeSink } from '../support/fake-outcome-sink'
import type { SimulatedProvider } from '../support/simulated-provider'
import { seeded } from '../support/virtual-driver'
import { createAccount } from './account'
import { type Clock, driveTime, type Owner } from './clock'
import { createDraw, type Draw } from './draw'
import { createFaults, type Faults } from './faults'
import { watchCreates } from './invariants/watch-creates'
import { watchWrites } from './invariants/watch-writes'
import { createLedger, type Ledger } from './ledger'
import { createNetwork } from './network'
import { type Plan, planOf } from './plan'
import { createJournalLink } from './ports/journal-link'
import { createProviderLink } from './ports/provider-link'
import { createRequestTopic, type RequestTopic } from './ports/request-topic'
import { createSimulatedLease, type LeaseRow } from './ports/simulated-lease'
import { createSinkLink } from './ports/sink-link'
import { createRefusedRoutes, type RefusedRoutes } from './refused-routes'
import { type Replica, startReplica } from './replica'
import { createTrace, type Trace } from './trace'
import { createViolations, type Violations } from './violations'
import { createWorkload, type Workload } from './workload'

export interface World {
  readonly plan: Plan
  readonly clock: Clock
  readonly startedAt: number
  readonly draw: Draw
  readonly faults: Faults
  readonly trace: Trace
  readonly violations: Violations
  readonly journal: FakeJournal
  readonly provider: SimulatedProvider
  readonly ledger: Ledger
  readonly outcomes: FakeOutcomeSink
  readonly topic: RequestTopic
  readonly lease: LeaseRow
  readonly workload: Workload
  readonly refusedRoutes: RefusedRoutes
  /** `atStep` is called where the process may end or freeze, `onEnd` when it has ended by itself. */
  start(
    name: string,
    hooks: { atStep: (owner: Owner, step: string) => void; onEnd: (error: unknown) => void },
  ): Replica
}

/** The clock starts in 2026. */
const startedAt = Date.UTC(2026, 0, 1)
const leaseTiming = { leaseMs: 10_000, renewEveryMs: 3_000, quotaWindowMs: 1_000, marginMs: 2_000 }
const sessionMs = 10_000

const textOfEvent = (event: FlowEvent): string => {
  const { kind, ...rest } = event
  const shown = Object.entries(rest).map(([name, value]: [string, unknown]) =>
    value instanceof Error ? `${name}=${value.message}` : `${name}=${text(value)}`,
  )
  return [kind, ...shown].join(' ')
}
const text = (value: unknown): string =>
  typeof value === 'object'
    ? JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}` : each))
    : `${value}`

/** `keepTrace` takes time, so it is for one seed that is looked at. */
export const createWorld = (seed: number, keepTrace: boolean): World => {
  const plan = planOf(seed)
  /** Each concern has a stream of random numbers of its own, so that a change in one leaves the others as they were. */
  const stream = (which: number) => seeded(seed * 7_919 + which * 104_729)
  const clock = driveTime({ startAt: startedAt, random: stream(1) })
  const draw = createDraw(stream(2))
  const faults = createFaults(plan.rates, stream(3))
  const trace = createTrace(clock, keepTrace)
  const violations = createViolations(({ promise, detail }) =>
    trace.note('BROKEN', () => `${promise}: ${detail}`),
  )
  const network = createNetwork(clock)
  const journal = createFakeJournal({
    batchMaxDevices: plan.batchMaxDevices,
    batchMaxWaitMs: plan.batchMaxWaitMs,
    claimLimit: routeId => (routeId % 2 === 0 ? plan.claimLimit : null),
    mostReleased: plan.mostReleased,
    latencyMs: 0,
  })
  const ledger = createLedger(clock)
  const outcomes = createFakeOutcomeSink()
  const lease: LeaseRow = { epoch: 0n, holder: null, expiresAt: Number.NEGATIVE_INFINITY }
  const workload = createWorkload(plan, createDraw(stream(4)), faults)
  const watched = watchCreates({ plan, journal, clock, ledger, violations })
  const refusedRoutes = createRefusedRoutes({
    clock,
    draw: createDraw(stream(6)),
    faults,
    journal,
    violations,
  })
  const provider = createAccount({
    plan,
    clock,
    draw: createDraw(stream(5)),
    faults,
    ledger,
    trace,
    badDevices: workload.badDevices,
    refusedRoutes,
    onJobStart: watched,
    isKnown: id => journal.store.jobs.some(job => job.providerJobId === id),
  })
  const latencyMs = () => draw.between(1, plan.journalMs)
  const topic = createRequestTopic({
    clock,
    draw,
    topic: 'requests',
    partitions: plan.partitions,
    sessionMs,
    chunkRecords: draw.oneOf([3, 20, 500]),
    latencyMs,
  })

  const start: World['start'] = (name, { atStep, onEnd }) => {
    const owner: Owner = { name, state: 'alive', parked: [] }
    const link = createJournalLink(owner, {
      network,
      faults,
      draw,
      journal,
      appendsBlindly: plan.appendsBlindly,
      latencyMs,
      atStep,
    })
    const api = createProviderLink(owner, {
      clock,
      faults,
      draw,
      provider,
      ledger,
      atStep,
      onSent: (_, operation) => {
        if (lease.holder !== name || lease.expiresAt <= clock.now())
          violations.broken(
            'nobody calls without the lease',
            `${name} sent ${operation}, the lease is ${lease.holder}'s`,
          )
        if (operation !== 'list') trace.note(name, () => `sends ${operation}`)
      },
    })
    trace.note(name, () => 'starts')
    return startReplica({
      plan,
      clock,
      owner,
      journal,
      driveJournal: epoch => watchWrites(journal.drive(epoch), epoch, { lease, violations }),
      link,
      api,
      lease: createSimulatedLease({
        row: lease,
        holder: name,
        timing: leaseTiming,
        statement: link.statement,
        onTaken: epoch => {
          journal.store.lease.epoch = epoch
          trace.note(name, () => `takes the lease, epoch ${epoch}`)
        },
      }),
      sink: createSinkLink(owner, {
        clock,
        network,
        faults,
        sink: outcomes.sink,
        latencyMs: () => draw.between(5, 100),
        atStep,
      }),
      source: topic.source(owner),
      observe: event => {
        if (event.kind === 'defect')
          violations.broken('nothing unforeseen', `${name}, ${event.flow}: ${stackOf(event.error)}`)
        if (event.kind === 'route-held') refusedRoutes.held(event.routeId)
        if (event.kind === 'database-restored' || event.kind === 'restore-accepted') refusedRoutes.forgotten()
        if (event.kind !== 'call-ended') trace.note(name, () => textOfEvent(event))
        else if (event.operation !== 'list' || event.result !== 'ok')
          trace.note(name, () => textOfEvent(event))
      },
      random: seeded(seed * 31 + name.length * 17 + name.charCodeAt(1)),
      onEnd,
    })
  }

  return {
    plan,
    clock,
    startedAt,
    draw,
    faults,
    trace,
    violations,
    journal,
    provider,
    ledger,
    outcomes,
    topic,
    lease,
    workload,
    refusedRoutes,
    start,
  }
}

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' | ') : String(error)
