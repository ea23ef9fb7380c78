/** What the journal in memory keeps of jobs that it has forgotten, and what they tell of moves that are claimed. */
import { asyncScheduler, type Observable } from 'rxjs'
import {
  type ForgottenJob,
  type ForgottenResult,
  lateJobs,
  looksLike,
  type PendingMove,
  tellMoves,
  toldVerdicts,
} from '../../../src/domain/forgotten'
import type { ForgottenJournal } from '../../../src/ports/forgotten-journal'
import type { Claim } from '../../../src/ports/journal'
import { settle } from './settle'
import type { RouteLog, Store, StoredJob } from './store'

export interface AcceptedRestore {
  readonly restoreId: number
  readonly acceptedAt: number
  isListed: boolean
  listError: string | null
}

export interface StoredForgotten extends ForgottenJob {
  state: 'open' | 'read' | 'given-up'
  heldReason: string | null
}

export interface StoredResult extends ForgottenResult {
  isUsed: boolean
}

/** An operator has accepted a restored database: the jobs that were created since are forgotten from now on. */
export const noteRestore = (store: Store): void => {
  store.counters.restores += 1
  store.restores.push({
    restoreId: store.counters.restores,
    acceptedAt: asyncScheduler.now(),
    isListed: false,
    listError: null,
  })
}

/** An operator lets the routes go on that wait for forgotten jobs which cannot be read. Returns their JobIds. */
export const giveUpForgotten = (store: Store): string[] => {
  const held = [...store.forgottenJobs.values()].filter(
    job => job.state === 'open' && job.heldReason !== null,
  )
  for (const job of held) Object.assign(job, { state: 'given-up', heldReason: null })
  if (held.length > 0) store.notify()
  return held.map(({ providerJobId }) => providerJobId)
}

const keyOf = (productKey: string, deviceName: string): string => `${productKey}/${deviceName}`

/** Whether a batch from before the restore may have been sent after the copy was taken. */
const isDoubtful = (store: Store, job: StoredJob): boolean => {
  const acceptedAt = store.restores.at(-1)?.acceptedAt ?? Number.NEGATIVE_INFINITY
  return (
    job.status === 'claimed' &&
    (job.heldBecause === null || job.heldWithRoute) &&
    store.job(job.splitRoot).claimedAt <= acceptedAt &&
    [...store.forgottenJobs.values()].some(one => looksLike(one, job.route.fields))
  )
}

/** Gives batches back that may have been sent, and tells what else a claim has to know. */
export const afterRestore = (store: Store, inHand: readonly number[]) => {
  const open = [...store.forgottenJobs.values()].filter(({ state }) => state === 'open')
  if (store.forgottenJobs.size > 0)
    for (const job of store.unfinished)
      if (!inHand.includes(job.batchId) && isDoubtful(store, job)) dissolve(store, job)
  const isUnlisted = store.restores.some(restore => !restore.isListed)
  const isForgotten = ({ fields }: RouteLog): boolean => open.some(job => looksLike(job, fields))
  const isMarked = isUnlisted || (open.length > 0 && [...store.routes.values()].some(isForgotten))
  const mark: Pick<Claim, 'forgotten'> = isMarked ? { forgotten: true } : {}
  return { isUnlisted, isForgotten, mayBeTold: store.forgottenResults.size > 0, mark }
}

/** Takes claimed positions out of their range. Their moves are due at once. */
const giveBack = (store: Store, route: RouteLog, seqs: readonly number[]): void => {
  for (const seq of seqs) {
    route.leftOut.set(seq, 'waiting')
    store.requeue.add({ ...store.moveAt(route, seq), route, dueAt: asyncScheduler.now(), waitsFor: null })
  }
}

/** Gives the moves of a claimed batch back, to be claimed anew. */
const dissolve = (store: Store, job: StoredJob): void => {
  giveBack(store, job.route, job.seqs)
  Object.assign(job, { status: 'refused', endedAs: 'refused', lastError: 'given back after a restore' })
  Object.assign(job, { heldBecause: null, heldWithRoute: false })
  store.unfinished.delete(job)
}

/** Those of the positions that would be sent of which a forgotten job tells, with their verdicts. */
const tellRange = (store: Store, route: RouteLog, seqs: readonly number[], maxAttempts: number) => {
  if (store.forgottenResults.size === 0) return { told: [], verdicts: [] }
  const { productKey } = route.fields
  const pending = seqs.map((seq): PendingMove => {
    const { acceptedOrder, deviceName, attempt, recordedAt } = store.moveAt(route, seq)
    return { seq: BigInt(seq), acceptedOrder, deviceName, attempt, recordedAt: recordedAt.getTime() }
  })
  const isOurs = (id: string): boolean =>
    store.jobs.some(
      ({ providerJobId, status }) =>
        providerJobId === id && (status === 'settled' || status === 'looking-up'),
    )
  const names = new Set(pending.map(({ deviceName }) => deviceName))
  const results = [...names]
    .flatMap(name => store.forgottenResults.get(keyOf(productKey, name)) ?? [])
    .filter(({ providerJobId: id }) => {
      const job = store.forgottenJobs.get(id)
      return job !== undefined && job.state !== 'open' && looksLike(job, route.fields) && !isOurs(id)
    })
  const told = tellMoves(pending, results)
  return { told, verdicts: toldVerdicts(told, maxAttempts) }
}

/** Notes what told of a move, and drops what older jobs say of the device. */
const useTold = (store: Store, route: RouteLog, told: readonly { readonly by: ForgottenResult }[]): void => {
  for (const { by } of told) {
    const key = keyOf(route.fields.productKey, by.deviceName)
    const kept = (store.forgottenResults.get(key) ?? []).filter(result => result.createdAt >= by.createdAt)
    for (const result of kept) if (result.providerJobId === by.providerJobId) result.isUsed = true
    store.forgottenResults.set(key, kept)
  }
}

/** Drops what told of devices that are sent anew now. */
const dropTold = (store: Store, { fields }: RouteLog, deviceNames: readonly string[]): void => {
  for (const name of deviceNames) {
    const key = keyOf(fields.productKey, name)
    const kept = store.forgottenResults.get(key)?.filter(({ isUsed }) => !isUsed)
    if (kept !== undefined) store.forgottenResults.set(key, kept)
  }
}

/**
 * Settles what forgotten jobs tell of positions that would be sent, and gives the others back. False: nothing is told, so
 * all are sent.
 */
export const settledAsTold = (
  store: Store,
  route: RouteLog,
  seqs: readonly number[],
  bind: (seqs: readonly number[]) => StoredJob,
  maxAttempts: number,
): boolean => {
  const { told, verdicts } = tellRange(store, route, seqs, maxAttempts)
  if (told.length === 0) {
    dropTold(
      store,
      route,
      seqs.map(seq => store.moveAt(route, seq).deviceName),
    )
    return false
  }
  const ours = new Set(told.map(({ move }) => Number(move.seq)))
  giveBack(
    store,
    route,
    seqs.filter(seq => !ours.has(seq)),
  )
  const batch = bind(seqs.filter(seq => ours.has(seq)))
  settle(store, batch, verdicts, { as: 'completed', mayLeave: false })
  for (const { move, by } of told) {
    const outcome = route.outcomes.get(Number(move.seq))
    if (outcome) route.outcomes.set(Number(move.seq), { ...outcome, toldBy: by.providerJobId })
  }
  useTold(store, route, told)
  return true
}

const keepResults = (
  store: Store,
  { productKey, providerJobId, createdAt }: ForgottenJob,
  rows: Parameters<ForgottenJournal['keepForgotten']>[1],
): void => {
  for (const [deviceName, { code, message }] of rows) {
    const key = keyOf(productKey, deviceName)
    const others = (store.forgottenResults.get(key) ?? []).filter(one => one.providerJobId !== providerJobId)
    const result = { providerJobId, createdAt, deviceName, code, message, isUsed: false }
    store.forgottenResults.set(key, [...others, result])
  }
}

type Guarded = <T>(work: () => T) => Observable<T>

export const createFakeForgotten = (store: Store, guarded: Guarded): ForgottenJournal => ({
  forgotten: () =>
    guarded(() => {
      const open = [...store.forgottenJobs.values()].filter(({ state }) => state === 'open')
      for (const job of open) {
        const owner = store.jobs.find(({ providerJobId }) => providerJobId === job.providerJobId)
        if (owner?.status === 'settled') job.state = 'read'
      }
      const restore = store.restores.findLast(({ isListed }) => !isListed)
      const created = store.jobs.flatMap(({ createdAt, providerJobId }) =>
        createdAt === null || providerJobId === null ? [] : [createdAt],
      )
      const isOurs = ({ providerJobId: id }: ForgottenJob): boolean =>
        store.jobs.some(({ providerJobId }) => providerJobId === id)
      const hasRoute = (job: ForgottenJob): boolean =>
        [...store.routes.values()].some(({ fields }) => looksLike(job, fields))
      return {
        unlisted: restore
          ? {
              restoreId: restore.restoreId,
              acceptedAgoMs: asyncScheduler.now() - restore.acceptedAt,
              knownAt: created.at(-1 - lateJobs) ?? null,
            }
          : null,
        jobs: open
          .filter(job => job.state === 'open' && job.heldReason === null && hasRoute(job) && !isOurs(job))
          .sort((a, b) => a.createdAt - b.createdAt)
          .map(({ state: _state, heldReason: _heldReason, ...job }) => job),
      }
    }),
  keepListed: (restoreId, listed) =>
    guarded(() => {
      let count = 0
      for (const job of listed) {
        const isKnown = store.jobs.some(({ providerJobId }) => providerJobId === job.providerJobId)
        if (isKnown || store.forgottenJobs.has(job.providerJobId)) continue
        store.forgottenJobs.set(job.providerJobId, { ...job, state: 'open', heldReason: null })
        count += 1
      }
      for (const restore of store.restores) if (restore.restoreId <= restoreId) restore.isListed = true
      store.notify()
      return count
    }),
  setListError: (restoreId, why) =>
    guarded(() => {
      for (const restore of store.restores)
        if (restore.restoreId <= restoreId && !restore.isListed) restore.listError = why
    }),
  keepForgotten: (job, rows) =>
    guarded(() => {
      keepResults(store, job, rows)
      const stored = store.forgottenJobs.get(job.providerJobId)
      if (stored?.state === 'open') Object.assign(stored, { state: 'read', heldReason: null })
      store.notify()
    }),
  givenUp: ids => guarded(() => new Set(ids.filter(id => store.forgottenJobs.get(id)?.state === 'given-up'))),
  holdForgotten: (job, rows, why) =>
    guarded(() => {
      keepResults(store, job, rows)
      const stored = store.forgottenJobs.get(job.providerJobId)
      if (stored?.state === 'open') stored.heldReason = why
    }),
})
