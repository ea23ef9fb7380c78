import type { RouteFields } from './route'

/**
 * Lifecycle of a job:
 * `claimed` (bound, nothing sent) → `creating` (the call may have left) → `running` → `completed` | `interrupted`
 * → `settled`. A create without an answer is `unknown` until List shows or excludes its job. A batch refused for
 * good is `refused` and then settled, or split in two.
 */
export type JobStatus =
  | 'claimed'
  | 'creating'
  | 'unknown'
  | 'running'
  | 'completed'
  | 'interrupted'
  | 'refused'
  | 'settled'

/** One move of a batch. */
export interface BatchMove {
  readonly seq: bigint
  readonly deviceName: string
  /** 1-based. */
  readonly attempt: number
}

/** A batch bound to a job: a range of one route's log without the positions left out. */
export interface Job {
  /** Our own number; the provider's is `providerJobId`. */
  readonly jobId: number
  readonly routeId: number
  readonly route: RouteFields
  readonly status: JobStatus
  readonly providerJobId: string | null
  /**
   * Who found its JobId where its create did not answer with it: until its result file tells of its devices, it may be
   * another's. null: the create did, or it has none.
   */
  readonly foundBy: 'list' | 'operator' | null
  /** JobIds that were taken for it until their result files told of other devices only. */
  readonly notOurs: readonly string[]
  /** How often an operator has let it go. */
  readonly releases: number
  /** Instant of the intent to create, by the database's clock, ms since 1970; null before it. */
  readonly createStartedAt: number | null
  /** Why its latest create came to nothing, or what else is wrong with it, for people; null: nothing is. */
  readonly lastError: string | null
  /** Creates of this batch that were refused as a whole, the batches it was split from included. */
  readonly refusals: number
  /** Refused creates of all batches that were split from the same one, this one's included. */
  readonly familyRefusals: number
  /** In the order of the route's log. The same device may stand twice: it is sent once, both get its outcome. */
  readonly moves: readonly BatchMove[]
}

/** The names to send: each once, in order. */
export const deviceNamesOf = (job: Job): string[] => [...new Set(job.moves.map(move => move.deviceName))]
