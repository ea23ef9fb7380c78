/** Which batch of the journal in memory is taken up that nobody has in hand: one left unfinished, or a piece of a search. */
import { asyncScheduler } from 'rxjs'
import type { SearchPart } from '../../../src/domain/job'
import type { RouteLog, Store, StoredJob } from './store'

/** Pause before one batch of a refused route is tried again. */
export const retryEveryMs = 3_600_000

/**
 * Whether its create has no answer yet. A held job that was certainly not created keeps nobody waiting, nor does a piece
 * of a search before it is in hand.
 */
export const isBeforeAnswer = (
  { status, heldBecause, search, batchId }: StoredJob,
  inHand: readonly number[],
): boolean =>
  (status === 'claimed' && heldBecause === null && (search === null || inHand.includes(batchId))) ||
  status === 'creating' ||
  status === 'unknown'

/**
 * There is one create at a time of routes that look alike. Of their batches only the first is offered, and none while
 * another is in hand. Of two creates without an answer the later is reconciled first.
 */
const hasToWait = (store: Store, job: StoredJob, inHand: readonly number[]): boolean => {
  const isUnderWay = ({ status, batchId }: StoredJob): boolean =>
    status !== 'claimed' || inHand.includes(batchId)
  const stops = (other: StoredJob): boolean =>
    job.status === 'claimed'
      ? isUnderWay(other) || other.batchId < job.batchId
      : job.status === 'unknown' && other.batchId > job.batchId && isUnderWay(other)
  return [...store.unfinished].some(
    other => other.route.lookAlike === job.route.lookAlike && isBeforeAnswer(other, inHand) && stops(other),
  )
}

/** Held as refused, and to be tried now. */
export const isDue = ({ heldKind, retryAt }: RouteLog): boolean =>
  heldKind === 'refused' && retryAt !== null && retryAt <= asyncScheduler.now()

/** Notes that a batch of a refused route is tried now. */
export const noteTry = (route: RouteLog, job: StoredJob | null): void => {
  route.retryAt = asyncScheduler.now() + retryEveryMs
  if (job !== null) Object.assign(job, { heldBecause: null, heldWithRoute: false })
}

export const unfinishedJob = (store: Store, inHand: readonly number[]): StoredJob | null => {
  // Jobs that may be open come first, because they have to be counted before anything is created.
  const isYetToBeCreated = (job: StoredJob): number => (job.status === 'claimed' ? 1 : 0)
  const isOffered = ({ heldBecause, heldWithRoute, search, status, route }: StoredJob): boolean => {
    if (status === 'looking-up') return false
    return heldBecause === null ? search === null || status !== 'claimed' : heldWithRoute && isDue(route)
  }
  for (const job of [...store.unfinished].sort((a, b) => isYetToBeCreated(a) - isYetToBeCreated(b))) {
    if (!isOffered(job) || inHand.includes(job.batchId) || hasToWait(store, job, inHand)) continue
    if (job.heldBecause !== null) noteTry(job.route, job)
    return job
  }
  return null
}

const orderOfParts: readonly (SearchPart | null)[] = ['drawn', 'piece', 'set-aside']

/** The next piece of a search that may be created now. */
export const nextPiece = (store: Store, inHand: readonly number[]): StoredJob | null => {
  const waiting = new Set<string>()
  for (const job of store.unfinished) if (isBeforeAnswer(job, inHand)) waiting.add(job.route.lookAlike)
  const pieces = [...store.unfinished].filter(
    ({ status, search, heldBecause, route, batchId }) =>
      status === 'claimed' &&
      search !== null &&
      heldBecause === null &&
      (route.heldBecause === null || route.heldKind === 'refused') &&
      !inHand.includes(batchId) &&
      !waiting.has(route.lookAlike),
  )
  pieces.sort((a, b) => orderOfParts.indexOf(a.search) - orderOfParts.indexOf(b.search))
  return pieces[0] ?? null
}
