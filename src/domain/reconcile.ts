import type { RouteFields } from './route'

/** What the provider's List shows of a route for certain. */
export interface ListedRoute {
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly strategy: number
  readonly targetInstanceIds: readonly string[]
}

/**
 * Equal for routes whose jobs the provider's List cannot tell apart: it never shows the priority or the target
 * account's login, and its id only sometimes. Target instances count as a set.
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
  /** Empty: not shown. */
  readonly targetInstanceIds: readonly string[]
  /** null: not shown. */
  readonly targetUid: string | null
  /** Devices in the job. */
  readonly total: number
  /** By the provider's clock, ms since 1970. */
  readonly createdAt: number
}

/** A job of ours whose create had no answer. */
export interface UnansweredJob {
  readonly route: RouteFields
  /** Distinct devices sent. */
  readonly total: number
  /** Instant of the intent, by our clock, ms since 1970. */
  readonly createStartedAt: number
}

/** What has become of an unanswered create. `why` nobody can tell, for people. */
export type Reconciliation =
  | { readonly kind: 'found'; readonly providerJobId: string }
  /** Proved: it may be sent again. */
  | { readonly kind: 'absent' }
  /** `allEnded`: whichever it is has ended, so its devices can be looked up. Else it is for a human. */
  | { readonly kind: 'undecidable'; readonly allEnded: boolean; readonly why: string }

/** Several jobs could be it. */
export const undecidable = (
  candidates: readonly { readonly providerJobId: string }[],
  allEnded: boolean,
): Reconciliation => {
  const ids = candidates.map(candidate => candidate.providerJobId).join(', ')
  return {
    kind: 'undecidable',
    allEnded,
    why: `several listed jobs could be it: ${ids}`,
  }
}

/** What is not shown may be the same: a job that is passed over counts as absent, and an absent one is created again. */
const shown = (listed: ListedLike, { route }: UnansweredJob): ListedRoute =>
  listed.targetInstanceIds.length > 0 ? listed : { ...listed, targetInstanceIds: route.targetInstanceIds }

const isSame = (listed: ListedLike, job: UnansweredJob): boolean =>
  lookAlikeKey(shown(listed, job)) === lookAlikeKey(job.route) &&
  listed.total === job.total &&
  (listed.targetUid === null || job.route.targetUid === null || listed.targetUid === job.route.targetUid)

/**
 * Those listed that may be the job of an unanswered create: same route and size, not created before the intent (less
 * `clockSkewMs`, by which the provider's clock may be behind), and not one of `own`, the provider job ids that are
 * known to be ours already. The caller keeps to one unanswered create among routes that look alike. None: it proves
 * something only if the List was begun long enough after the create.
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
  // Pages may overlap.
  return [...new Map(matches.map(each => [each.providerJobId, each])).values()]
}

/** What the result file of an ended candidate tells. */
export interface CandidateFile {
  readonly providerJobId: string
  /** `ours`: of devices of the batch. `not-yet`: it cannot be had just now. `untold`: there is none that can be read. */
  readonly tells: 'ours' | 'wrong-devices' | 'not-yet' | 'untold'
}

/** Which of several candidates it is, by what their result files name; null: ask again. */
export const decideByFiles = (files: readonly CandidateFile[]): Reconciliation | null => {
  const [ours, ...more] = files.filter(file => file.tells === 'ours')
  if (ours !== undefined && more.length === 0) return { kind: 'found', providerJobId: ours.providerJobId }
  if (files.every(file => file.tells === 'wrong-devices')) return { kind: 'absent' }
  if (ours === undefined && files.some(file => file.tells === 'not-yet')) return null
  return undecidable(files, true)
}
