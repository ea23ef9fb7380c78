import type { Job } from './job'
import type { RouteFields } from './route'

/** What looking a device up at the provider shows of a move whose job did not report on it. */

/**
 * The instance that the provider says a device belongs to, and the distribution that brought it there. Instants are by
 * the provider's clock, ms since 1970. null: the provider does not give the value.
 */
export interface Whereabouts {
  readonly instanceId: string
  /** The instance that the device came from. */
  readonly cameFrom: string | null
  /**
   * Instant at which the distribution was created; the instant of the answer for a device that was never distributed.
   */
  readonly sentAt: number | null
  /** Instant of its last change; the instant of the answer for a device that was never distributed. */
  readonly changedAt: number | null
}

/** A look-up of one device with its answer. It is kept with the job, so that outcomes can be derived again. */
export interface LookUp {
  readonly deviceName: string
  /** Instant of the answer by our clock, ms since 1970. */
  readonly answeredAt: number
  /** null: there was no answer that could be used. */
  readonly found: Whereabouts | null
  /** The provider's code that says why nothing was found. null: something was found. */
  readonly code: string | null
}

/** The fields of a job that decide what a look-up says of its moves. */
export interface OpenJob {
  readonly route: RouteFields
  /** Instant of the intent to create, by our clock, ms since 1970. */
  readonly createStartedAt: number
}

/** A job with devices that are yet to be looked up. */
export interface UntoldJob extends OpenJob, Pick<Job, 'batchId' | 'releases'> {
  readonly ended: 'completed' | 'interrupted'
  /**
   * No result file could be read, and this says why: the job is held for people once looking up has left devices untold.
   * null: how the job ended decides about those devices.
   */
  readonly holdUntold: string | null
}

/** What a look-up says of a move. */
export type Fate =
  /** The device is at a target of the move. */
  | 'moved'
  /** The device is at no target, and the job did not bring it to one. */
  | 'elsewhere'
  | 'cannot-tell'

/** Two instants of one answer that stand for the same moment differ by no more than this, ms. */
const sameMomentMs = 1_000

/**
 * True if the device was never distributed: the provider then gives the instant of the answer for both instants. A
 * distribution by this job was created near the intent, an older one before the intent. So the two are told apart by
 * whether `sentAt` is nearer to the answer or to the intent, as long as the clocks differ by less than half of the time
 * that the job took.
 */
const neverSent = ({ sentAt, changedAt }: Whereabouts, job: OpenJob, answeredAt: number): boolean =>
  sentAt !== null &&
  changedAt !== null &&
  Math.abs(changedAt - sentAt) <= sameMomentMs &&
  Math.abs(sentAt - answeredAt) < Math.abs(sentAt - job.createStartedAt)

/**
 * What a look-up says of a move. A device at a target has moved, even if it was there before the job: sent again it
 * could only lose its tags and groups. Three cases are doubtful, so that nothing can be told:
 * - The provider names a target for a device that was never distributed to it.
 * - With strategy 1, a device at its source may have been accepted and then moves when it next connects.
 * - The device left a target after the intent to create. The job may have moved it, and somebody else moved it on.
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

/** What look-ups say of a job's moves, by device name. Of two look-ups of a device the later one counts. */
export const fatesOf = (lookUps: readonly LookUp[], job: OpenJob): ReadonlyMap<string, Fate> =>
  new Map(
    lookUps
      .toSorted((a, b) => a.answeredAt - b.answeredAt)
      .map(lookUp => [lookUp.deviceName, fateOf(lookUp, job)]),
  )
