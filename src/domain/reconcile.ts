import { lookAlikeKey } from './look-alike'
import type { RouteFields } from './route'

/** A job as the provider's List shows it. */
export interface ListedLike {
  readonly providerJobId: string
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly strategy: number
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

export type Reconciled =
  | { readonly kind: 'found'; readonly providerJobId: string }
  /** Not in this List. Proves something only if the List was begun long enough after the create. */
  | { readonly kind: 'absent' }
  /** Several could be it. */
  | { readonly kind: 'ambiguous'; readonly providerJobIds: readonly string[] }

const isSame = (listed: ListedLike, job: UnansweredJob): boolean =>
  lookAlikeKey(listed) === lookAlikeKey(job.route) &&
  listed.total === job.total &&
  (listed.targetUid === null || job.route.targetUid === null || listed.targetUid === job.route.targetUid)

/**
 * Looks for the job of an unanswered create among those listed: same route and size, not created before the intent
 * (less `clockSkewMs`, by which the provider's clock may be behind), and not one of `own`, the provider job ids
 * that are known to be ours already. The caller keeps to one unanswered create among routes that look alike.
 */
export const findOwnJob = (
  listed: readonly ListedLike[],
  job: UnansweredJob,
  own: ReadonlySet<string>,
  clockSkewMs: number,
): Reconciled => {
  const since = job.createStartedAt - clockSkewMs
  const matches = listed.filter(
    each => !own.has(each.providerJobId) && each.createdAt >= since && isSame(each, job),
  )
  // Pages may overlap.
  const [first, ...others] = new Set(matches.map(each => each.providerJobId))
  if (first === undefined) return { kind: 'absent' }
  return others.length === 0
    ? { kind: 'found', providerJobId: first }
    : { kind: 'ambiguous', providerJobIds: [first, ...others] }
}
