import type { Job } from './job'
import type { RouteFields } from './route'

/**
 * Where the provider says that a device belongs, and by which distribution it came there. Times are by the
 * provider's clock, ms since 1970; null: not given.
 */
export interface Whereabouts {
  readonly instanceId: string
  /** null: not given. */
  readonly cameFrom: string | null
  /** When the distribution was created. Of a device that was never distributed: the moment of the answer. */
  readonly sentAt: number | null
  /** When it was last changed. Of a device that was never distributed: the moment of the answer. */
  readonly changedAt: number | null
}

/** A device looked up, with the answer; kept with the job, so that its outcome can be derived again. */
export interface LookUp {
  readonly deviceName: string
  /** By our clock, ms since 1970. */
  readonly answeredAt: number
  /** null: no answer that could be used. */
  readonly found: Whereabouts | null
  /** Why there is none: the provider's code. Else null. */
  readonly code: string | null
}

/** A job that left the fate of a device open. */
export interface OpenJob {
  readonly route: RouteFields
  /** Instant of the intent to create, by our clock, ms since 1970. */
  readonly createStartedAt: number
}

export const openJobOf = ({ batchId, route, createStartedAt }: Job): OpenJob => {
  if (createStartedAt === null) throw new Error(`job ${batchId} was never to be created`)
  return { route, createStartedAt }
}

/** What a look-up says of a move. */
export type Fate =
  /** The device is where it was to go. */
  | 'moved'
  /** It is not, and the job did not bring it there. */
  | 'elsewhere'
  | 'cannot-tell'

/** The two moments of one answer differ by no more, ms. */
const sameMomentMs = 1_000

/**
 * Of a device that was never distributed the provider gives the moment of the answer for both times. A real
 * distribution of this job was created near the intent, an older one before it; so whichever is nearer tells, as
 * long as the clocks differ by less than half of what the job took.
 */
const neverSent = ({ sentAt, changedAt }: Whereabouts, job: OpenJob, answeredAt: number): boolean =>
  sentAt !== null &&
  changedAt !== null &&
  Math.abs(changedAt - sentAt) <= sameMomentMs &&
  Math.abs(sentAt - answeredAt) < Math.abs(sentAt - job.createStartedAt)

/**
 * What is known of a move once its device has been looked up. A device at a target has moved, even if it was there
 * before the job: sent again it could only lose its tags and groups. Whatever is doubtful cannot be told:
 * - a target is named for a device that was never distributed to it;
 * - with strategy 1 a device at its source may have been accepted, and moves when it next connects;
 * - the device left a target since the job began: it may have been moved, and then moved on by somebody else.
 */
export const fateOf = ({ found, answeredAt }: LookUp, job: OpenJob): Fate => {
  if (found === null) return 'cannot-tell'
  const { route } = job
  const { instanceId, cameFrom, sentAt } = found
  if (route.targetInstanceIds.includes(instanceId))
    return cameFrom !== instanceId && neverSent(found, job, answeredAt) ? 'cannot-tell' : 'moved'
  if (route.strategy === 1) return 'cannot-tell'
  const leftTarget = cameFrom !== null && route.targetInstanceIds.includes(cameFrom)
  if (leftTarget && (sentAt === null || sentAt >= job.createStartedAt)) return 'cannot-tell'
  return 'elsewhere'
}

/** By device name; of two look-ups of a device the later one counts. */
export const fatesOf = (lookUps: readonly LookUp[], job: OpenJob): ReadonlyMap<string, Fate> =>
  new Map(
    lookUps
      .toSorted((a, b) => a.answeredAt - b.answeredAt)
      .map(lookUp => [lookUp.deviceName, fateOf(lookUp, job)]),
  )
