import type { BatchMove, Job, JobStatus } from './job'
import type { Verdict } from './outcome'
import { refusedVerdicts } from './settlement'

/** What an operator may do with a job that is held, overdue or looked up, and how its moves end if it is given up. */

/** What an operator has found out about such a job, or wants done with it. */
export type Resolution =
  /** The job exists at the provider under this JobId. */
  | { readonly kind: 'adopt'; readonly providerJobId: string }
  /** The job does not exist at the provider, so its devices may be sent again. */
  | { readonly kind: 'absent' }
  /** The step at which the job is held is tried once more. */
  | { readonly kind: 'again' }
  /** The moves of the job without an outcome fail for good. */
  | { readonly kind: 'fail' }
  /** The moves of the job without an outcome are tried again, without looking up where their devices are. */
  | { readonly kind: 'resend' }

const fits: Readonly<Record<Resolution['kind'], readonly JobStatus[]>> = {
  // A running job has a JobId, but if the provider denies it, another JobId or none is the right one.
  adopt: ['creating', 'unknown', 'running'],
  absent: ['creating', 'unknown', 'running'],
  again: ['claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted', 'looking-up'],
  fail: ['claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted', 'looking-up'],
  resend: ['completed', 'interrupted', 'looking-up'],
}

const kinds = ['adopt', 'absent', 'again', 'fail', 'resend'] as const

const instead: Partial<Readonly<Record<JobStatus, string>>> = {
  claimed: 'it was certainly not created, so there is nothing to look for',
  completed: 'its create was answered, and its job has ended at the provider, so it exists',
  interrupted: 'its create was answered, and its job has ended at the provider, so it exists',
  'looking-up': 'it has ended, and a part of it may be settled: see --again, --fail and --resend',
}

/** The fields of a job that decide whether a resolution fits. */
export interface HeldJob extends Pick<Job, 'status' | 'foundBy' | 'notOurs'> {
  readonly isHeld: boolean
  /** It is running for so long that it may never end. */
  readonly isOverdue: boolean
  /** The JobId that its create was answered with although another job has it. null: there is no such clash. */
  readonly clashesWith: string | null
}

/** True if an ended job has a JobId that its create did not answer with, which may be the wrong one. */
const isDoubtful = ({ status, foundBy }: HeldJob): boolean =>
  foundBy !== null && (status === 'completed' || status === 'interrupted')

/** Why no resolution of this kind fits a job that is running and not held. */
const runningMisfit = ({ isOverdue, foundBy }: HeldJob, kind: Resolution['kind']): string | null => {
  if (!isOverdue) return 'it is running and not held: the service is at work on it, and it is not overdue yet'
  if (kind === 'resend') return 'it is running: see --absent'
  if (kind === 'again') return 'its end is awaited already, so there is nothing to try once more'
  if (kind === 'adopt' && foundBy === null)
    return 'its create was answered with its JobId, so no other is its own'
  return null
}

/** For people: why no resolution of this kind fits the job. null: one may fit. */
const kindMisfit = (job: HeldJob, kind: Resolution['kind']): string | null => {
  const { status, isHeld, clashesWith } = job
  if (status === 'refused' || status === 'settled') return `it is ${status}: nothing is left to be resolved`
  // Nobody has to wait for look-ups.
  if (status === 'looking-up' && kind === 'resend') return null
  if (!isHeld)
    return status === 'running'
      ? runningMisfit(job, kind)
      : `it is ${status} and not held: the service is at work on it`
  // List shows that JobId as the other job's, so this job would count as absent and be sent again.
  if (kind === 'again' && clashesWith !== null)
    return (
      `its create was answered with JobId ${clashesWith}, which another job has, so its devices may have been sent: ` +
      'look in the console for its own job, then --adopt its JobId, or --absent if there is none, or --fail'
    )
  if (fits[kind].includes(status) || ((kind === 'adopt' || kind === 'absent') && isDoubtful(job))) return null
  return `it is ${status}: ${instead[status] ?? `${kind} does not fit`}`
}

/** For people: why a resolution does not fit a job. null: it fits. */
export const misfit = (job: HeldJob, resolution: Resolution): string | null => {
  const isDisproved = resolution.kind === 'adopt' && job.notOurs.includes(resolution.providerJobId)
  return (
    kindMisfit(job, resolution.kind) ??
    (isDisproved ? `the result file of ${resolution.providerJobId} tells of other devices only` : null)
  )
}

/** The kinds of resolution that may fit a job: none for one that is neither held nor overdue. */
export const resolutionsFor = (job: HeldJob): readonly Resolution['kind'][] =>
  kinds.filter(kind => kindMisfit(job, kind) === null)

const NOT_SENT = 'Its batch was given up by an operator before it was created: the device was not sent.'
const MAYBE_MOVED =
  'Its job was given up by an operator. The device may have moved: check where it is before sending it again.'

/** The verdicts of a job that is given up: every move fails finally. */
export const givenUp = (status: JobStatus, moves: readonly BatchMove[]): readonly Verdict[] =>
  status === 'claimed'
    ? refusedVerdicts(moves, 'not-moved', NOT_SENT)
    : refusedVerdicts(moves, 'unknown', MAYBE_MOVED)

/** Characters of a JobId at most. */
const longest = 256

/** A JobId as people give it. null: the text is empty, too long, or has spaces or control characters. */
export const providerJobIdOf = (text: string): string | null =>
  text !== '' && text.length <= longest && !/[\p{C}\p{Z}]/u.test(text) ? text : null
