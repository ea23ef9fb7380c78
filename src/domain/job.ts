import type { RouteFields } from './route'

/** A job, its lifecycle, and the transitions that the lifecycle allows. */

/**
 * The lifecycle is `claimed` (bound, nothing sent) → `creating` (the call may have left) → `running` →
 * `completed` | `interrupted` → `settled`. A job whose create has no answer is `unknown` until List shows it or proves
 * that it is absent. A batch that is split in two jobs is `refused`; a batch that is refused for good is `settled`.
 *
 * A job that ended without reporting on all of its devices is `looking-up`: what its file told is settled, and where the
 * other devices are is looked up one by one. It settles in parts meanwhile, and is `settled` with the last one.
 */
export type JobStatus =
  | 'claimed'
  | 'creating'
  | 'unknown'
  | 'running'
  | 'completed'
  | 'interrupted'
  | 'looking-up'
  | 'refused'
  | 'settled'

/** One move of a batch. */
export interface BatchMove {
  readonly seq: bigint
  readonly deviceName: string
  /** 1-based. */
  readonly attempt: number
}

/** What a batch is in a search. Pieces are tried after the drawn devices, and those set aside come last. */
export type SearchPart =
  | 'piece'
  /** One of the single devices that tell whether devices are the reason at all. */
  | 'drawn'
  /** A drawn device that was refused. It is tried again once it is certain that devices are the reason. */
  | 'set-aside'

/** A search as it stands, and what the batch is in it. */
export interface Search {
  readonly part: SearchPart
  /** Distinct devices of the batch with which the search began. */
  readonly devices: number
  /** Pieces that were refused as a whole and halved. */
  readonly refusals: number
  /** A create of a piece was answered with a job, so devices are the reason. */
  readonly hasAccepted: boolean
  /** Drawn devices that are not tried yet, the batch itself included. */
  readonly drawnLeft: number
}

/** A batch bound to a job: a range of one route's log without the positions left out at the claim. */
export interface Job {
  /** Our own number. The provider's is `providerJobId`. */
  readonly batchId: number
  readonly routeId: number
  readonly route: RouteFields
  readonly status: JobStatus
  readonly providerJobId: string | null
  /**
   * Who found the JobId when the create did not answer with one. Such a job may be somebody else's until its result
   * file names devices of the batch. null: the create answered with the JobId, or there is none.
   */
  readonly foundBy: 'list' | 'operator' | null
  /** JobIds that were taken for this job until their result files named other devices only. */
  readonly notOurs: readonly string[]
  /** How often an operator has released it from being held. */
  readonly releases: number
  /** Instant of the intent to create by the database's clock, ms since 1970. null: there is no intent yet. */
  readonly createStartedAt: number | null
  /** Why its latest create came to nothing, or what else is wrong with it, for people. null: nothing is wrong. */
  readonly lastError: string | null
  /** Refusals with unknown codes of this batch and of the batches it was split from, one after the other. */
  readonly refusals: number
  /**
   * Such refusals of all batches that stem from the same split root, this batch included. The split root is the
   * batch that all these halves were split from.
   */
  readonly splitRootRefusals: number
  /** The search for bad devices that the batch is a piece of; null: of none. */
  readonly search: Search | null
  /** In the order of the route's log. A device may occur twice: it is sent once, and both moves get its outcome. */
  readonly moves: readonly BatchMove[]
}

/** The device names to send: each once, in the order of the moves. */
export const deviceNamesOf = ({ moves }: Pick<Job, 'moves'>): string[] => [
  ...new Set(moves.map(move => move.deviceName)),
]

/** A step of the lifecycle, named after the journal's operation that takes it. */
export type JobTransition =
  | 'creating'
  | 'created'
  | 'unanswered'
  | 'notCreated'
  | 'markEnded'
  | 'unadopted'
  | 'split'
  | 'settle'
  | 'settleLookedUp'
  | 'refuse'

interface Transition {
  /** Statuses in which a job can take the step. */
  readonly from: readonly JobStatus[]
  /** Statuses of a job that has taken the step already. Taking it again changes nothing. */
  readonly after: readonly JobStatus[]
}

const transitions: Readonly<Record<JobTransition, Transition>> = {
  creating: { from: ['claimed'], after: ['creating'] },
  created: {
    from: ['creating', 'unknown'],
    after: ['running', 'completed', 'interrupted', 'looking-up', 'settled'],
  },
  unanswered: { from: ['creating'], after: ['unknown'] },
  // Once it is claimed again an operator may cancel it.
  notCreated: { from: ['creating', 'unknown'], after: ['claimed', 'settled'] },
  markEnded: { from: ['running'], after: ['completed', 'interrupted', 'looking-up', 'settled'] },
  unadopted: { from: ['completed', 'interrupted'], after: ['unknown'] },
  split: { from: ['claimed', 'creating', 'unknown'], after: ['refused'] },
  // A job is settled from `unknown` when its JobId was never found: looking up its devices decides.
  settle: { from: ['completed', 'interrupted', 'unknown'], after: ['looking-up', 'settled'] },
  settleLookedUp: { from: ['looking-up'], after: ['settled'] },
  refuse: { from: ['claimed', 'creating', 'unknown'], after: ['settled'] },
}

/** For people: why a job is held whose create was answered with the JobId of another of our jobs. */
export const clashReason = (providerJobId: string): string =>
  `its create was answered with JobId ${providerJobId}, which another job has: its devices may or may not have been sent`

/**
 * True if a job in `status` can take the step, false if it has taken it already. Throws if neither is so, which is a
 * defect of the caller.
 */
export const canTransition = (batchId: number, status: JobStatus, step: JobTransition): boolean => {
  if (transitions[step].from.includes(status)) return true
  if (transitions[step].after.includes(status)) return false
  throw new Error(`job ${batchId} is ${status}: ${step} does not fit`)
}
