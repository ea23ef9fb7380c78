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
  readonly batchId: number
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
  readonly splitRootRefusals: number
  /** In the order of the route's log. The same device may stand twice: it is sent once, both get its outcome. */
  readonly moves: readonly BatchMove[]
}

/** The names to send: each once, in order. */
export const deviceNamesOf = (job: Job): string[] => [...new Set(job.moves.map(move => move.deviceName))]

export type JobTransition =
  | 'creating'
  | 'created'
  | 'unanswered'
  | 'notCreated'
  | 'markEnded'
  | 'unadopted'
  | 'split'
  | 'settle'
  | 'refuse'

interface Fit {
  readonly from: readonly JobStatus[]
  /** Where the job stands if the step was taken before: taking it again changes nothing. */
  readonly taken: readonly JobStatus[]
}

const transitions: Readonly<Record<JobTransition, Fit>> = {
  creating: { from: ['claimed'], taken: ['creating'] },
  created: { from: ['creating', 'unknown'], taken: ['running', 'completed', 'interrupted', 'settled'] },
  unanswered: { from: ['creating'], taken: ['unknown'] },
  notCreated: { from: ['creating', 'unknown'], taken: ['claimed'] },
  markEnded: { from: ['running'], taken: ['completed', 'interrupted', 'settled'] },
  unadopted: { from: ['completed', 'interrupted'], taken: ['unknown'] },
  split: { from: ['claimed', 'creating', 'unknown'], taken: ['refused'] },
  // From unknown: which job it was nobody knows, but looking up has told of every device.
  settle: { from: ['completed', 'interrupted', 'unknown'], taken: ['settled'] },
  refuse: { from: ['claimed', 'creating', 'unknown'], taken: ['settled'] },
}

/** Why a job is held whose create was answered with the JobId of another of ours. */
export const clashReason = (providerJobId: string): string =>
  `its create was answered with JobId ${providerJobId}, which another job has: nobody knows whether its devices were sent`

/**
 * Whether a job in `status` is to take `step` (true) or has taken it before (false).
 * Throws when neither fits: a defect of the caller.
 */
export const canTransition = (batchId: number, status: JobStatus, step: JobTransition): boolean => {
  if (transitions[step].from.includes(status)) return true
  if (transitions[step].taken.includes(status)) return false
  throw new Error(`job ${batchId} is ${status}: ${step} does not fit`)
}
