/** How a route is held and released: by an operator, or because the provider refused what it names. */
import { asyncScheduler } from 'rxjs'
import type { RouteLog, Store, StoredJob } from './store'
import { retryEveryMs } from './unfinished-batch'

const hold = (job: StoredJob, why: string): void => {
  Object.assign(job, { heldBecause: why, heldWithRoute: true })
}

export const holdRefusedRoute = (store: Store, job: StoredJob, why: string): void => {
  const { route } = job
  Object.assign(job, { status: 'claimed', createStartedAt: null, lastError: why })
  hold(job, why)
  for (const other of store.unfinished)
    if (other.route === route && other.status === 'claimed' && other.heldBecause === null) hold(other, why)
  if (route.heldBecause !== null && route.heldKind !== 'refused') return
  Object.assign(route, {
    heldBecause: why,
    heldKind: 'refused',
    retryAt: asyncScheduler.now() + retryEveryMs,
  })
}

export const releaseRoute = (store: Store, route: RouteLog): void => {
  Object.assign(route, { heldBecause: null, heldKind: null, retryAt: null })
  for (const job of store.unfinished)
    if (job.route === route && job.heldWithRoute)
      Object.assign(job, { heldBecause: null, heldWithRoute: false, releases: job.releases + 1 })
  store.notify()
}

/** Lets a route go that was held as refused: a batch of it was created, or refused for its devices. */
export const releaseRefusedRoute = (store: Store, route: RouteLog): void => {
  if (route.heldKind === 'refused') releaseRoute(store, route)
}
