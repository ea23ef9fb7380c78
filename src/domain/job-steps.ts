import type { JobStatus } from './job'

export type JobStep =
  | 'creating'
  | 'created'
  | 'unanswered'
  | 'notCreated'
  | 'ended'
  | 'disowned'
  | 'split'
  | 'settle'
  | 'refuse'

interface Fit {
  readonly from: readonly JobStatus[]
  /** Where the job stands if the step was taken before: taking it again changes nothing. */
  readonly taken: readonly JobStatus[]
}

const fits: Readonly<Record<JobStep, Fit>> = {
  creating: { from: ['claimed'], taken: ['creating'] },
  created: { from: ['creating', 'unknown'], taken: ['running', 'completed', 'interrupted', 'settled'] },
  unanswered: { from: ['creating'], taken: ['unknown'] },
  notCreated: { from: ['creating', 'unknown'], taken: ['claimed'] },
  ended: { from: ['running'], taken: ['completed', 'interrupted', 'settled'] },
  disowned: { from: ['completed', 'interrupted'], taken: ['unknown'] },
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
export const takesStep = (jobId: number, status: JobStatus, step: JobStep): boolean => {
  if (fits[step].from.includes(status)) return true
  if (fits[step].taken.includes(status)) return false
  throw new Error(`job ${jobId} is ${status}: ${step} does not fit`)
}
