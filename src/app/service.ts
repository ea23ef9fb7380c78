/** The three flows as one service: intake always, drive and publish while this process holds the lease. */
import {
  catchError,
  concat,
  defer,
  finalize,
  firstValueFrom,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  merge,
  NEVER,
  type Observable,
  of,
  ReplaySubject,
  startWith,
  switchMap,
  take,
  takeUntil,
  tap,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { RestoredDatabaseError } from '../domain/published-position'
import { type IntakeDeps, intake$ } from '../flows/intake'
import { createPublishOutbox, publish$ } from '../flows/publish'
import { allStopped, type FlowHealth, type FlowName } from '../health/flow-health'
import {
  createProviderBook,
  type ProviderBook,
  type ProviderTrouble,
  troubleText,
} from '../health/provider-health'
import { createRateLimiter, type RateLimiter } from '../operators/rate-limit'
import type { JobApi, Operation } from '../ports/job-api'
import type { Changes, DriveJournal, IntakeJournal, Outbox, OutboxLimits } from '../ports/journal'
import type { Lease, LeaseState } from '../ports/lease'
import type { OutcomeSink } from '../ports/outcome-sink'
import type { RequestSource } from '../ports/request-source'
import { createDriver, type DriverPolicies } from './driver'
import { createRestoreWatch } from './restore-watch'
import { createSupervision, resilient } from './supervision'

export interface ServiceParts {
  readonly source: RequestSource
  readonly toJournal: IntakeDeps['toJournal']
  readonly intakeJournal: IntakeJournal
  readonly driveJournal: (epoch: bigint) => DriveJournal
  readonly outbox: Outbox
  readonly changes$: Changes
  /** Bound to one epoch of the lease: what it sends leaves only while `mayCall`. */
  readonly api: (mayCall: () => boolean) => JobApi
  readonly lease: Lease
  /** null: outcomes stay in the journal. */
  readonly sink: OutcomeSink | null
  readonly publisher: string
  readonly policies: DriverPolicies
  readonly quota: { readonly shared: number; readonly perOperation: Readonly<Record<Operation, number>> }
  readonly callTimeoutMs: number
  readonly observe: Observe
  readonly random: () => number
}

export interface Service {
  /** Runs until stopped, or until unsubscribed, which drops everything where it is. */
  readonly run$: Observable<never>
  /** Completes once the source has ended and all of it is in the journal (files only). */
  readonly intakeDone: Promise<void>
  /** No new records, batches or jobs; what is under way is finished, what is settled published; then `run$` completes. */
  stop(): void
  status(): ServiceStatus
}

export interface ServiceStatus {
  readonly lease: LeaseState['kind']
  readonly holder: string | null
  /** Jobs open in the account as last seen, and how many there may be. null: another process drives, or none does. */
  readonly openJobs: { readonly own: number; readonly foreign: number; readonly capacity: number } | null
  /** The provider's last answer to an operation was that it refuses the account; null when it does not. */
  readonly accountRefused: ReturnType<ProviderBook['refusal']>
  /** Why no call has succeeded for a while; null: they do, or none was made. */
  readonly provider: ProviderTrouble | null
  /** Calls that take part of it. null: those that count are another process's. */
  readonly quota: ReturnType<RateLimiter<Operation>['inUse']> | null
  readonly flows: Readonly<Record<FlowName, FlowHealth>>
}

/** In one publish: a job of 10,000 fits. Kafka's client holds the bytes about three times over. */
const most: OutboxLimits = { outcomes: 10_000, bytes: 16_000_000 }
/** The provider's sliding window, and what is added since timers may fire early, ms. */
const windowMs = 1_000
const marginMs = 20
/** Longest pause between tries of a call to the provider, ms. */
const providerPauseMs = 30_000

export const createService = (parts: ServiceParts): Service => {
  const { random, changes$, sink } = parts
  const provider = createProviderBook()
  const observe: Observe = event => {
    parts.observe(event)
    const news = provider.notice(event)
    if (news !== null) parts.observe(news)
  }
  const stop$ = new ReplaySubject<void>(1)
  const intakeEnded$ = new ReplaySubject<void>(1)
  const { book, again, supervised, running } = createSupervision({ observe, random })
  let leaseState: LeaseState = { kind: 'standing-by', holder: null }

  const limiter = createRateLimiter<Operation>({
    ...parts.quota,
    priority: ['create', 'detail', 'list', 'query', 'provisioning'],
    yielding: ['provisioning'],
    windowMs,
    marginMs,
    deadlineMs: parts.callTimeoutMs,
  })

  const watch =
    sink === null
      ? null
      : createRestoreWatch({
          ...{ sink, outbox: parts.outbox, publisher: parts.publisher, observe, stop$ },
          again: again('intake'),
        })
  const whileSound = (flow: Observable<never>): Observable<never> => watch?.whileSound(flow) ?? flow

  /** After the database was away it may be another one: nothing is appended to it before that was looked at. */
  const againOnceSound =
    <T>(): MonoTypeOperatorFunction<T> =>
    source => {
      let isFirst = true
      return defer(() => {
        if (isFirst || watch === null) {
          isFirst = false
          return source
        }
        return concat(watch.sound().pipe(ignoreElements()), source)
      }).pipe(again('intake')<T>())
    }

  const intake = whileSound(
    concat(
      running('intake'),
      defer(() =>
        intake$({
          source: parts.source,
          journal: resilient(parts.intakeJournal, againOnceSound),
          toJournal: parts.toJournal,
          observe,
        }),
      ),
    ),
  ).pipe(
    supervised('intake'),
    tap({ complete: () => intakeEnded$.next() }),
    takeUntil(stop$),
    finalize(() => book.is('intake', 'ended')),
  )

  const driver = createDriver({
    api: parts.api,
    limiter,
    changes$,
    policies: parts.policies,
    observe,
    random,
    stop$,
    again: again('list', providerPauseMs),
  })

  // Also when the lease seems lost: if it is, the lease says so presently and this is dropped; if it only came near
  // its end before it could be renewed, driving goes on.
  const drive = ({ epoch, mayCall }: Extract<LeaseState, { kind: 'held' }>): Observable<never> =>
    defer(() => driver.drive(resilient(parts.driveJournal(epoch), again('drive')), mayCall)).pipe(
      supervised('drive'),
    )

  const publish = (drain$: Observable<unknown>): Observable<never> => {
    if (sink === null) return drain$.pipe(take(1), ignoreElements())
    const outbox = resilient(parts.outbox, again('publish'))
    const publishOutbox = createPublishOutbox({
      outbox,
      changes$,
      publisher: parts.publisher,
      most,
      observe,
      drain$,
    })
    return publish$({ sink, publishOutbox }).pipe(
      catchError((error: unknown) => {
        if (!(error instanceof RestoredDatabaseError)) throw error
        watch?.report(error)
        return NEVER
      }),
      supervised('publish'),
    )
  }

  /** Settles what is under way, then publishes what is settled. */
  const driveAndPublish = (held: Extract<LeaseState, { kind: 'held' }>): Observable<'done'> => {
    const flows = defer(() => {
      const drain$ = new ReplaySubject<void>(1)
      const driven = drive(held).pipe(tap({ complete: () => drain$.next() }))
      return merge(running('drive'), running('publish'), driven, publish(drain$))
    })
    return concat(whileSound(flows).pipe(supervised('drive')), of('done' as const))
  }

  const leased = parts.lease
    .hold(() => limiter.inFlight() === 0)
    .pipe(
      startWith<LeaseState>({ kind: 'standing-by', holder: null }),
      tap(state => {
        leaseState = state
        for (const flow of ['drive', 'publish'] as const)
          book.is(flow, state.kind === 'held' ? 'starting' : 'standing-by')
        observe(
          state.kind === 'held'
            ? { kind: 'lease-held', epoch: state.epoch }
            : { kind: 'standing-by', holder: state.holder },
        )
      }),
      switchMap(state =>
        state.kind === 'held' ? driveAndPublish(state) : stop$.pipe(map(() => 'done' as const)),
      ),
      take(1),
      ignoreElements(),
    )

  const flowsNow = (): ServiceStatus['flows'] => {
    const reason = watch?.reason() ?? null
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
    run$: merge(intake, leased),
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
