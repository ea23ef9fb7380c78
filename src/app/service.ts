/** The pipeline as a service: its flows on their ports, guarded, with a status and one way to stop. */
import {
  catchError,
  concat,
  defer,
  finalize,
  firstValueFrom,
  ignoreElements,
  type MonoTypeOperatorFunction,
  NEVER,
  type Observable,
  ReplaySubject,
  startWith,
  take,
  tap,
} from 'rxjs'
import type { FlowName, Observe } from '../domain/flow-event'
import { RestoredDatabaseError } from '../domain/restored-database'
import { createDriver } from '../flows/drive'
import type { DrivePolicies } from '../flows/drive-options'
import { type IntakeDeps, intake$ } from '../flows/intake'
import { publish$ } from '../flows/publish'
import { createProviderBook, troubleText } from '../health/provider-health'
import type { ServiceStatus } from '../health/readiness'
import { createRateLimiter } from '../operators/rate-limit'
import { pipeline$ } from '../pipeline'
import type { JobApi, Operation } from '../ports/job-api'
import type { Changes, DriveJournal, IntakeJournal, Outbox, OutboxLimits } from '../ports/journal'
import type { Lease, LeaseState } from '../ports/lease'
import type { OutcomeSink } from '../ports/outcome-sink'
import type { RequestSource } from '../ports/request-source'
import type { Soundness } from '../ports/soundness'
import { createRestoreWatch } from './restore-watch'
import { againOnce, allStopped, createSupervision, resilient } from './supervision'

export interface ServiceParts {
  readonly source: RequestSource
  readonly toJournal: IntakeDeps['toJournal']
  readonly intakeJournal: IntakeJournal
  readonly driveJournal: (epoch: bigint) => DriveJournal
  readonly outbox: Outbox
  readonly changes$: Changes
  /** Whether the database still has what this process has seen in it. */
  readonly soundness: Soundness
  /** The provider, for one epoch of the lease: a call leaves only while `mayCall` says so. */
  readonly api: (mayCall: () => boolean) => JobApi
  readonly lease: Lease
  /** null: nothing is published, and outcomes stay in the journal. */
  readonly sink: OutcomeSink | null
  /** The name under which the database keeps the published position. */
  readonly publisher: string
  readonly policies: DrivePolicies
  /** Calls in any second: of all operations together, and of each. 0: no such cap. */
  readonly quota: { readonly shared: number; readonly perOperation: Readonly<Record<Operation, number>> }
  /** A call is answered or given up within this time, ms. */
  readonly callTimeoutMs: number
  readonly observe: Observe
  /** 0 up to 1. */
  readonly random: () => number
}

export interface Service {
  /** Runs until stopped. Unsubscribing drops everything where it is, as a crash would. */
  readonly run$: Observable<never>
  /** Resolves once the source has ended and all of it is in the journal. Only files end. */
  readonly intakeDone: Promise<void>
  /** Starts nothing new. `run$` completes once the calls under way are answered and what is settled is published. */
  stop(): void
  status(): ServiceStatus
}

/** One transaction of the sink. A job of 10,000 devices fits. Kafka's client holds the bytes about three times. */
const most: OutboxLimits = { outcomes: 10_000, bytes: 16_000_000 }
/** The length of the provider's sliding window, ms. */
const windowMs = 1_000
/** Added to the window, because timers may fire early, ms. */
const marginMs = 20
/** Of twenty calls at least one is a look-up, while any waits, however busy the quota is with others. */
const lookUpsWaitFor = 19
/** Longest pause between tries of a call to the provider, ms. */
const providerPauseMs = 30_000

export const createService = (parts: ServiceParts): Service => {
  const { random, changes$, sink, observe } = parts
  const provider = createProviderBook()
  /** Where calls are made, or are another process's: the book of the provider's health learns from these events. */
  const observeCalls: Observe = event => {
    observe(event)
    const news = provider.notice(event)
    if (news !== null) observe(news)
  }
  const stop$ = new ReplaySubject<void>(1)
  const intakeEnded$ = new ReplaySubject<void>(1)
  const { book, again, supervised, running } = createSupervision({ observe, random })
  let leaseState: LeaseState = { kind: 'standing-by', holder: null }

  const limiter = createRateLimiter<Operation>({
    ...parts.quota,
    priority: ['create', 'detail', 'list', 'query', 'provisioning'],
    yielding: ['provisioning'],
    passedOverAtMost: lookUpsWaitFor,
    windowMs,
    marginMs,
    deadlineMs: parts.callTimeoutMs,
  })

  const watch = createRestoreWatch({ ...parts, stop$, again: () => supervised('intake') })
  const stopsAll = <T>(flow$: Observable<T>): Observable<T> =>
    flow$.pipe(
      catchError((error: unknown) => {
        if (!(error instanceof RestoredDatabaseError)) throw error
        watch.report(error)
        return NEVER
      }),
    )

  /**
   * A flow starts once the database has lost nothing. It starts over after an error that its own parts do not get over.
   */
  const guarded = (flow: FlowName, flow$: Observable<never>): Observable<never> =>
    watch.whileSound(concat(running(flow), stopsAll(flow$)).pipe(supervised(flow)))

  /** After the database was away it may be an older one, so nothing is done on it before it was looked at. */
  const againOnceSound = againOnce(watch.sound$)
  const soundAgain =
    (flow: FlowName) =>
    <T>(): MonoTypeOperatorFunction<T> =>
    source =>
      againOnceSound(source).pipe(again(flow)<T>())
  const takeIn$ = againOnceSound(
    defer(() =>
      intake$({
        source: parts.source,
        journal: resilient(parts.intakeJournal, soundAgain('intake')),
        toJournal: parts.toJournal,
        observe,
      }),
    ),
  ).pipe(tap({ complete: () => intakeEnded$.next() }))

  const driver = createDriver({
    api: parts.api,
    limiter,
    changes$,
    policies: parts.policies,
    observe: observeCalls,
    random,
    stop$,
    again: again('list', providerPauseMs),
  })

  const publish = (drain$: Observable<void>): Observable<never> => {
    if (sink === null) return drain$.pipe(take(1), ignoreElements())
    return publish$({
      sink,
      outbox: resilient(parts.outbox, soundAgain('publish')),
      changes$,
      publisher: parts.publisher,
      most,
      observe,
      drain$,
    })
  }

  const lease$ = parts.lease
    .hold(() => limiter.inFlight() === 0)
    .pipe(
      startWith<LeaseState>({ kind: 'standing-by', holder: null }),
      tap(state => {
        leaseState = state
        for (const flow of ['drive', 'publish'] as const)
          book.is(flow, state.kind === 'held' ? 'starting' : 'standing-by')
        observeCalls(
          state.kind === 'held'
            ? { kind: 'lease-held', epoch: state.epoch }
            : { kind: 'standing-by', holder: state.holder },
        )
      }),
    )

  const run$ = pipeline$({
    intake$: takeIn$,
    // Driving also starts over after `LeaseLostError`. When the lease is really lost, it says so soon and the flow is
    // dropped. When it was only renewed late, driving goes on.
    drive: ({ epoch, mayCall }) =>
      defer(() => driver.drive(resilient(parts.driveJournal(epoch), soundAgain('drive')), mayCall)),
    publish,
    lease$,
    guarded: (flow, flow$) =>
      flow === 'intake'
        ? guarded(flow, flow$).pipe(finalize(() => book.is(flow, 'ended')))
        : guarded(flow, flow$),
    stop$,
  })

  const flowsNow = (): ServiceStatus['flows'] => {
    const reason = watch.reason()
    if (reason !== null) return allStopped(reason)
    const flows = book.read()
    const trouble = provider.trouble()
    return trouble === null || flows.drive.state !== 'running'
      ? flows
      : { ...flows, drive: { state: 'retrying', problem: troubleText(trouble) } }
  }

  const openJobsNow = (): ServiceStatus['openJobs'] => {
    const open = driver.openJobs()
    return open === null ? null : { ...open, capacity: parts.policies.quotaJobs }
  }

  return {
    run$,
    intakeDone: firstValueFrom(intakeEnded$),
    stop: () => stop$.next(),
    status: () => ({
      lease: leaseState.kind,
      holder: leaseState.kind === 'standing-by' ? leaseState.holder : null,
      openJobs: openJobsNow(),
      accountRefused: provider.refusal(),
      provider: provider.trouble(),
      quota: leaseState.kind === 'held' ? limiter.inUse() : null,
      flows: flowsNow(),
    }),
  }
}
