/** The driver's side of the journal in memory. */
import { asyncScheduler, filter } from 'rxjs'
import { canTransition, clashReason, type JobTransition } from '../../../src/domain/job'
import type { DriveJournal } from '../../../src/ports/journal'
import { type ClaimOptions, createClaims, jobAsStored } from './claim'
import { holdRefusedRoute, releaseRefusedRoute } from './route-hold'
import { halveOtherHalf, searchStep, splitJob } from './search'
import { nextUntold, settle, settleLookedUp, untoldMoves } from './settle'
import type { Store, StoredJob } from './store'

const meanJobMs = (store: Store): number | null => {
  const times = store.jobs
    .flatMap(job =>
      job.createdAt === null || job.finishedAt === null ? [] : [job.finishedAt - job.createdAt],
    )
    .slice(-50)
  return times.length === 0 ? null : times.reduce((a, b) => a + b) / times.length
}

/** The journal of one epoch. Every method throws `LeaseLostError` once the store has a newer epoch. */
export const createFakeDrive = (store: Store, epoch: bigint, options: ClaimOptions): DriveJournal => {
  const claim = createClaims(store, options)
  const guarded = <T>(work: () => T) =>
    store.transaction(() => {
      store.checkEpoch(epoch)
      return work()
    })
  const step = (batchId: number, name: JobTransition, take: (job: StoredJob) => void) =>
    guarded(() => {
      const job = store.job(batchId)
      if (canTransition(batchId, job.status, name)) take(job)
    })

  const bind = (batchId: number, providerJobId: string, foundBy: StoredJob['foundBy']) =>
    guarded((): 'stored' | 'clash' => {
      const job = store.job(batchId)
      if (!canTransition(batchId, job.status, 'created')) {
        if (job.providerJobId !== providerJobId) throw new Error(`job ${batchId} is ${job.providerJobId}`)
        return 'stored'
      }
      if (store.jobs.some(other => other.providerJobId === providerJobId)) {
        job.status = 'unknown'
        job.heldBecause ??= clashReason(providerJobId)
        return 'clash'
      }
      const createdAt = asyncScheduler.now()
      Object.assign(job, { status: 'running', providerJobId, foundBy, createdAt, lastError: null })
      releaseRefusedRoute(store, job.route)
      if (foundBy === null) halveOtherHalf(store, job)
      return 'stored'
    })

  return {
    claim: (inHand, mayTakePiece = false) => guarded(() => claim(inHand, mayTakePiece)),
    load: batchId => guarded(() => jobAsStored(store, store.job(batchId))),
    creating: batchId =>
      guarded(() => {
        const job = store.job(batchId)
        if (job.status === 'settled' && job.providerJobId === null) return null
        if (canTransition(batchId, job.status, 'creating'))
          Object.assign(job, { status: 'creating', createStartedAt: asyncScheduler.now() })
        return jobAsStored(store, job)
      }).pipe(filter(job => job !== null)),
    created: (batchId, providerJobId) => bind(batchId, providerJobId, null),
    adopted: (batchId, providerJobId) => bind(batchId, providerJobId, 'list'),
    unanswered: (batchId, why) =>
      step(batchId, 'unanswered', job => Object.assign(job, { status: 'unknown', lastError: why })),
    notCreated: (batchId, why, refused) =>
      step(batchId, 'notCreated', job => {
        Object.assign(job, { status: 'claimed', lastError: why, createStartedAt: null })
        if (refused) job.refusals += 1
      }),
    markEnded: ({ batchId, releases }, as) =>
      guarded(() => {
        const job = store.job(batchId)
        if (job.releases !== releases) return false
        if (canTransition(batchId, job.status, 'markEnded'))
          Object.assign(job, { status: as, finishedAt: asyncScheduler.now() })
        return true
      }),
    isResolved: ({ batchId, releases }) => guarded(() => store.job(batchId).releases !== releases),
    unadopted: batchId =>
      step(batchId, 'unadopted', job => {
        job.notOurs = [...job.notOurs, job.providerJobId ?? '']
        job.resultFiles.length = 0
        Object.assign(job, { status: 'unknown', providerJobId: null, foundBy: null })
        Object.assign(job, { createdAt: null, finishedAt: null })
      }),
    split: (batchId, why) => step(batchId, 'split', job => splitJob(store, job, why)),
    search: (batchId, searching, why) =>
      guarded(() => {
        const job = store.job(batchId)
        const name = searching.kind === 'set-aside' ? 'notCreated' : 'split'
        if (!canTransition(batchId, job.status, name)) return batchId
        releaseRefusedRoute(store, job.route)
        return searchStep(store, job, searching, why)
      }),
    holdRoute: (batchId, why) => step(batchId, 'notCreated', job => holdRefusedRoute(store, job, why)),
    keepResultFile: (batchId, file) =>
      guarded(() => {
        const { resultFiles } = store.job(batchId)
        if (!resultFiles.some(({ body }) => Buffer.compare(body, file.body) === 0)) resultFiles.push(file)
      }),
    hold: ({ batchId, releases }, why) =>
      guarded(() => {
        const job = store.job(batchId)
        if (job.releases !== releases) return
        if (job.status === 'refused' || job.status === 'settled')
          throw new Error(`job ${batchId} is ${job.status}: hold does not fit`)
        job.heldBecause ??= why
      }),
    settle: (batchId, verdicts, as, leave) =>
      step(batchId, as === 'refused' ? 'refuse' : 'settle', job => {
        if (as === 'refused') releaseRefusedRoute(store, job.route)
        settle(store, job, verdicts, { as, mayLeave: leave !== undefined })
        job.holdUntold = leave?.holdUntold ?? null
      }),
    nextUntold: () => guarded(() => nextUntold(store)),
    untoldMoves: (batchId, devices) => guarded(() => untoldMoves(store, store.job(batchId), devices)),
    settleLookedUp: (batchId, lookUps, verdicts) =>
      guarded(() => {
        const job = store.job(batchId)
        if (!canTransition(batchId, job.status, 'settleLookedUp')) return 0
        return settleLookedUp(store, job, lookUps, verdicts)
      }),
    setLastError: (batchId, why) =>
      guarded(() => {
        const job = store.job(batchId)
        if (['running', 'completed', 'interrupted'].includes(job.status)) job.lastError = why
      }),
    addCalls: (batchId, calls) =>
      guarded(() => {
        store.job(batchId).calls += calls
      }),
    ownJobs: ids =>
      guarded(() => {
        const asked = new Set(ids)
        return new Set(
          store.jobs.flatMap(({ providerJobId: id }) => (id !== null && asked.has(id) ? [id] : [])),
        )
      }),
    meanJobMs: () => guarded(() => meanJobMs(store)),
  }
}
