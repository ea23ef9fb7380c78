/** Ends what is pending or waiting of a route, in one go. */
import { refusedVerdicts } from '../../../src/domain/settlement'
import { claimRange, jobAsStored } from './claim'
import { releaseRefusedRoute } from './route-hold'
import { settle } from './settle'
import type { RouteLog, Store, StoredJob } from './store'

const settleAsCancelled = (store: Store, job: StoredJob): number => {
  Object.assign(job, { heldBecause: null, heldWithRoute: false })
  const { moves } = jobAsStored(store, job)
  settle(store, job, refusedVerdicts(moves, 'cancelled', null), { as: 'abandoned', mayLeave: false })
  return moves.length
}

export const cancelRoute = (store: Store, route: RouteLog): { cancelled: number; inFlight: number } => {
  let cancelled = 0
  for (const job of [...store.unfinished])
    if (job.route === route && job.status === 'claimed') cancelled += settleAsCancelled(store, job)
  for (const requeued of [...store.requeue]) {
    if (requeued.route !== route) continue
    const { route: _route, dueAt: _dueAt, waitsFor: _waitsFor, ...move } = requeued
    store.appendTo(route, move)
    store.requeue.delete(requeued)
  }
  while (route.claimed < route.moves.length) {
    const job = claimRange(store, route, 10_000, true)
    if (job !== null) cancelled += settleAsCancelled(store, job)
  }
  releaseRefusedRoute(store, route)
  const open = [...store.unfinished].filter(job => job.route === route)
  return { cancelled, inFlight: open.reduce((sum, { seqs }) => sum + seqs.length, 0) }
}
