/**
 * One batch's life in its slot: create, and wait until its job has ended at the provider. Whatever happens, the
 * stream completes and the slot is free again; a batch that is not through stays unfinished in the journal and is
 * claimed again.
 */
import {
  asyncScheduler,
  concat,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  filter,
  finalize,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  of,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import type { AccountView } from './account-view'
import type { Observe } from './domain/flow-event'
import { deviceNamesOf, type Job } from './domain/job'
import { decideOnRefusal, type RefusalKind, type RefusalPolicy } from './domain/refusal'
import { concernsRoute } from './domain/route-codes'
import { refusedVerdicts } from './domain/settlement'
import type { JobSlots, Slot } from './operators/slots'
import type { CallFailure, DriveJournal, ProviderStatus } from './ports'
import type { ProviderCalls } from './provider-calls'
import { createReconciliation } from './reconcile-job'

export interface EndedJob {
  readonly job: Job
  readonly as: 'completed' | 'interrupted'
}

export interface RunJobDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  readonly slots: JobSlots
  readonly view: AccountView
  readonly observe: Observe
  readonly random: () => number
  readonly policy: RefusalPolicy
  readonly createSettleMs: number
  /** Repeats what failed with `TransientError`, after a pause. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
  /** Emits (and replays) once when no new job may start; running ones are left to the next driver. */
  readonly stop$: Observable<unknown>
}

export const createRunJob = (deps: RunJobDeps): ((job: Job) => Observable<EndedJob>) => {
  const { journal, calls, slots, view, observe, stop$ } = deps
  const reconcile = createReconciliation(deps)
  /** Creates in a row that were put off, by job: what their back-off grows with. */
  const delays = new Map<number, number>()

  const pause = (ms: number): Observable<never> => timer(ms).pipe(takeUntil(stop$), ignoreElements())

  /** The job's status in a look, or by its own Query where the List does not show it. */
  const statusOf = (
    jobId: number,
    providerJobId: string,
    listed: ProviderStatus | undefined,
  ): Observable<ProviderStatus> =>
    listed !== undefined
      ? of(listed)
      : calls.query(providerJobId).pipe(
          concatMap(result => journal.spent(jobId, 1).pipe(map(() => result))),
          concatMap(result => (result.ok ? of(result.value.status) : EMPTY)),
        )

  const storeEnd = (job: Job, as: EndedJob['as']): Observable<EndedJob> =>
    journal.ended(job.jobId, as).pipe(map(() => ({ job, as })))

  const awaitEnd = (job: Job, providerJobId: string): Observable<EndedJob> =>
    defer(() => {
      const since = asyncScheduler.now()
      view.track(providerJobId)
      return view.looks$.pipe(
        filter(look => look.sentAt >= since),
        exhaustMap(look => statusOf(job.jobId, providerJobId, look.jobs.get(providerJobId)?.status)),
        filter(status => status >= 2),
        take(1),
        takeUntil(stop$),
        concatMap(status => storeEnd({ ...job, providerJobId }, status === 2 ? 'completed' : 'interrupted')),
        tap(({ as }) => {
          const tookMs = asyncScheduler.now() - since
          view.ended(providerJobId, tookMs)
          observe({ kind: 'job-ended', jobId: job.jobId, as, tookMs })
        }),
        finalize(() => view.untrack(providerJobId)),
      )
    })

  const created = (job: Job, providerJobId: string): Observable<EndedJob> =>
    journal.created(job.jobId, providerJobId).pipe(
      tap(() => {
        delays.delete(job.jobId)
        observe({ kind: 'job-created', jobId: job.jobId, providerJobId, devices: deviceNamesOf(job).length })
      }),
      concatMap(() => awaitEnd(job, providerJobId)),
    )

  /** Refused as a whole, certainly not created: costs no device an attempt unless it is refused for good. */
  const refused = (
    job: Job,
    slot: Slot,
    { code, message }: CallFailure,
    kind: RefusalKind,
  ): Observable<never> => {
    const { jobId, moves } = job
    const inARow = (delays.get(jobId) ?? 0) + 1
    const decision = decideOnRefusal(
      {
        kind,
        concernsRoute: concernsRoute(code),
        refusals: job.refusals,
        familyRefusals: job.familyRefusals,
        inARow,
        devices: deviceNamesOf(job).length,
      },
      deps.policy,
      deps.random(),
    )
    observe({ kind: 'create-refused', jobId, code, next: decision.kind })
    const why = `${code}: ${message}`
    const then = (step: Observable<void>): Observable<never> =>
      step.pipe(
        tap(() => slot.release()),
        ignoreElements(),
      )
    switch (decision.kind) {
      case 'again':
        delays.set(jobId, inARow)
        if (kind === 'slots-full') view.outdate()
        return concat(then(journal.notCreated(jobId, why, decision.counted)), pause(decision.afterMs))
      case 'stop-driving':
        calls.pauseCreates(decision.forMs)
        observe({ kind: 'account-refused', code, pauseMs: decision.forMs })
        return then(journal.notCreated(jobId, why, false))
      case 'split':
        return then(journal.split(jobId, why))
      case 'fail':
        return then(
          journal
            .settle(jobId, refusedVerdicts(moves, code, message), 'refused')
            .pipe(
              tap(() => observe({ kind: 'job-settled', jobId, moved: 0, failed: moves.length, retried: 0 })),
            ),
        )
    }
  }

  const create = (job: Job, slot: Slot): Observable<EndedJob> =>
    defer(() => {
      const sentAt = asyncScheduler.now()
      return calls.create(journal.creating(job.jobId)).pipe(
        concatMap(result => journal.spent(job.jobId, 1).pipe(map(() => result))),
        concatMap(result => {
          if (result.ok) return created(job, result.value.providerJobId)
          if (result.kind !== 'unanswered') return refused(job, slot, result, result.kind)
          observe({ kind: 'create-unanswered', jobId: job.jobId, why: result.code })
          return journal
            .unanswered(job.jobId, `${result.code}: ${result.message}`)
            .pipe(concatMap(() => settleUnknown(job, sentAt)))
        }),
      )
    })

  /** A create that may have run: adopted, or proved absent and so free to be sent again. */
  const settleUnknown = (job: Job, seenAt: number): Observable<EndedJob> =>
    reconcile(job, seenAt).pipe(
      concatMap(providerJobId => created(job, providerJobId)),
      takeUntil(stop$),
    )

  const start = (job: Job): Observable<EndedJob> =>
    view.fresh().pipe(
      concatMap(() => slots.enter()),
      takeUntil(stop$),
      concatMap(slot => create(job, slot).pipe(finalize(() => slot.release()))),
    )

  const resume = (job: Job, work: Observable<EndedJob>): Observable<EndedJob> =>
    defer(() => {
      const slot = slots.adopt()
      observe({ kind: 'job-resumed', jobId: job.jobId, status: job.status })
      return work.pipe(finalize(() => slot.release()))
    })

  return job => {
    switch (job.status) {
      case 'claimed':
        return start(job)
      case 'creating':
        return resume(
          job,
          journal
            .unanswered(job.jobId, 'its sender ended before the answer was stored')
            .pipe(concatMap(() => settleUnknown(job, asyncScheduler.now()))),
        )
      case 'unknown':
        return resume(
          job,
          defer(() => settleUnknown(job, asyncScheduler.now())),
        )
      case 'running':
        return resume(job, awaitEnd(job, job.providerJobId ?? ''))
      case 'completed':
      case 'interrupted':
        return of({ job, as: job.status })
      case 'refused':
      case 'settled':
        throw new Error(`job ${job.jobId} is ${job.status}: there is nothing to run`)
    }
  }
}
