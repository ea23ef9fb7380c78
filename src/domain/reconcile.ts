import type { RouteFields } from './route'

/** What became of a create without an answer: which job of the provider's List it made, if any. */

/** The fields of a route that the provider's List always shows. */
export interface ListedRoute {
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly strategy: number
  readonly targetInstanceIds: readonly string[]
}

/**
 * A key that is equal for routes whose jobs the provider's List cannot tell apart. List never shows the priority or the
 * login of the target account, and shows the id of that account only sometimes. Target instances count as a set.
 */
export const lookAlikeKey = (route: ListedRoute): string =>
  JSON.stringify([
    route.productKey,
    route.sourceInstanceId,
    route.strategy,
    [...new Set(route.targetInstanceIds)].sort(),
  ])

/** A job as the provider's List shows it. */
export interface ListedLike {
  readonly providerJobId: string
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly strategy: number
  /** Empty: List does not show them. */
  readonly targetInstanceIds: readonly string[]
  /** null: List does not show it. */
  readonly targetUid: string | null
  /** Number of devices in the job. */
  readonly total: number
  /** By the provider's clock, ms since 1970. */
  readonly createdAt: number
}

/** A job of ours whose create has no answer. */
export interface UnansweredJob {
  readonly route: RouteFields
  /** Number of distinct devices that the create sent. */
  readonly total: number
  /** Instant of the intent to create, by our clock, ms since 1970. */
  readonly createStartedAt: number
}

/** What became of an unanswered create. */
export type Reconciliation =
  | { readonly kind: 'found'; readonly providerJobId: string }
  /** It is proved that the create made no job, so it may be sent again. */
  | { readonly kind: 'absent' }
  /**
   * Several jobs could be the one. With `allEnded` all of them have ended, so the devices can be looked up; else a
   * human has to decide. `why` is for people.
   */
  | { readonly kind: 'undecidable'; readonly allEnded: boolean; readonly why: string }

/** The reconciliation when each of the candidates could be the job. */
export const undecidable = (
  candidates: readonly { readonly providerJobId: string }[],
  allEnded: boolean,
): Reconciliation => {
  const ids = candidates.map(candidate => candidate.providerJobId).join(', ')
  return { kind: 'undecidable', allEnded, why: `several listed jobs could be it: ${ids}` }
}

/** Takes targets that List does not show for ours: a job that is passed over counts as absent and is created again. */
const shown = (listed: ListedLike, { route }: UnansweredJob): ListedRoute =>
  listed.targetInstanceIds.length > 0 ? listed : { ...listed, targetInstanceIds: route.targetInstanceIds }

const isSame = (listed: ListedLike, job: UnansweredJob): boolean =>
  lookAlikeKey(shown(listed, job)) === lookAlikeKey(job.route) &&
  listed.total === job.total &&
  (listed.targetUid === null || job.route.targetUid === null || listed.targetUid === job.route.targetUid)

/**
 * The listed jobs that may be the job of an unanswered create. They have the same route and size, are not one of `own`
 * (JobIds that are known to be other jobs of ours), and were created no earlier than `clockSkewMs` before the intent,
 * because the provider's clock may be that much behind. The caller makes sure that only one create is unanswered among
 * routes that look alike. An empty result proves absence only if the List was begun long enough after the create.
 */
export const findCandidates = <L extends ListedLike>(
  listed: readonly L[],
  job: UnansweredJob,
  own: ReadonlySet<string>,
  clockSkewMs: number,
): readonly L[] => {
  const since = job.createStartedAt - clockSkewMs
  const matches = listed.filter(
    each => !own.has(each.providerJobId) && each.createdAt >= since && isSame(each, job),
  )
  // Pages of List may overlap.
  return [...new Map(matches.map(each => [each.providerJobId, each])).values()]
}

/** What the result file of an ended candidate shows. */
export interface CandidateFile {
  readonly providerJobId: string
  /**
   * `ours`: it names devices of the batch. `wrong-devices`: it names other devices only. `not-yet`: it is not available
   * at present. `untold`: there is no file that can be read.
   */
  readonly tells: 'ours' | 'wrong-devices' | 'not-yet' | 'untold'
}

/** Which of several ended candidates is the job, by their result files. null: ask for the files again. */
export const decideByFiles = (files: readonly CandidateFile[]): Reconciliation | null => {
  const [ours, ...more] = files.filter(file => file.tells === 'ours')
  if (ours !== undefined && more.length === 0) return { kind: 'found', providerJobId: ours.providerJobId }
  if (files.every(file => file.tells === 'wrong-devices')) return { kind: 'absent' }
  if (ours === undefined && files.some(file => file.tells === 'not-yet')) return null
  return undecidable(files, true)
}

/** How the creation times of jobs go, in the order in which List shows them. That order is not documented. */
export interface ListedOrder {
  readonly newestAt: number
  readonly oldestAt: number
  /** No job is more than the tolerance newer than one before it. */
  readonly isFalling: boolean
}

export const nothingListed: ListedOrder = {
  newestAt: Number.NEGATIVE_INFINITY,
  oldestAt: Number.POSITIVE_INFINITY,
  isFalling: true,
}

/** The order when `page` follows what was listed before. */
export const orderAfter = (
  order: ListedOrder,
  page: readonly Pick<ListedLike, 'createdAt'>[],
  toleranceMs: number,
): ListedOrder =>
  page.reduce(
    ({ newestAt, oldestAt, isFalling }, { createdAt }) => ({
      newestAt: Math.max(newestAt, createdAt),
      oldestAt: Math.min(oldestAt, createdAt),
      isFalling: isFalling && createdAt <= oldestAt + toleranceMs,
    }),
    order,
  )

/**
 * Whether what was listed holds every job created at or after `since`. It does if the jobs have shown that they come
 * newest first, and have come below that instant. Jobs that are created while List is read are not meant.
 */
export const holdsAllSince = (
  { newestAt, oldestAt, isFalling }: ListedOrder,
  since: number,
  toleranceMs: number,
): boolean => isFalling && oldestAt + toleranceMs < Math.min(since, newestAt)
