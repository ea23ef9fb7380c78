import type { BatchMove, Job, JobStatus } from './job'
import type { Verdict } from './outcome'
import { refusedVerdicts } from './settlement'

/** What an operator has found out about a held job, or wants done with it. */
export type Resolution =
  /** It exists at the provider, under this JobId. */
  | { readonly kind: 'adopt'; readonly providerJobId: string }
  /** It does not exist at the provider: its devices may be sent again. */
  | { readonly kind: 'absent' }
  /** The step it is held at is to be tried once more. */
  | { readonly kind: 'again' }
  /** Its devices fail for good. */
  | { readonly kind: 'fail' }

const fits: Readonly<Record<Resolution['kind'], readonly JobStatus[]>> = {
  // A running job has a JobId that the provider may deny: then another, or none, is the right one.
  adopt: ['creating', 'unknown', 'running'],
  absent: ['creating', 'unknown', 'running'],
  again: ['claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted'],
  fail: ['claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted'],
}

const kinds = ['adopt', 'absent', 'again', 'fail'] as const

const instead: Partial<Readonly<Record<JobStatus, string>>> = {
  claimed: 'it was certainly not created, so there is nothing to look for',
  completed: 'its create was answered, and its job has ended at the provider, so it exists',
  interrupted: 'its create was answered, and its job has ended at the provider, so it exists',
}

/** What decides whether a resolution fits a job. */
export interface HeldJob extends Pick<Job, 'status' | 'foundBy' | 'notOurs'> {
  readonly isHeld: boolean
  /** JobId that its create was answered with, though another job has it. */
  readonly clashesWith: string | null
}

/** A JobId that its create did not answer with may be the wrong one, whatever has become of that job. */
const isDoubtful = ({ status, foundBy }: HeldJob): boolean =>
  foundBy !== null && (status === 'completed' || status === 'interrupted')

/** Why no resolution of a kind fits a job, for people; null if one may. */
const kindMisfit = (job: HeldJob, kind: Resolution['kind']): string | null => {
  const { status, isHeld, clashesWith } = job
  if (status === 'refused' || status === 'settled') return `it is ${status}: nothing is left to be resolved`
  if (!isHeld) return `it is ${status} and not held: the service is at work on it`
  // List shows that job as the other's, so this one would count as absent, and be sent again.
  if (kind === 'again' && clashesWith !== null)
    return (
      `its create was answered with JobId ${clashesWith}, which another job has, so its devices may have been sent: ` +
      'look in the console for its own job, then --adopt its JobId, or --absent if there is none, or --fail'
    )
  if (fits[kind].includes(status) || ((kind === 'adopt' || kind === 'absent') && isDoubtful(job))) return null
  return `it is ${status}: ${instead[status] ?? `${kind} does not fit`}`
}

/** Why a resolution does not fit a job, for people; null if it does. */
export const misfit = (job: HeldJob, resolution: Resolution): string | null => {
  const isDisproved = resolution.kind === 'adopt' && job.notOurs.includes(resolution.providerJobId)
  return (
    kindMisfit(job, resolution.kind) ??
    (isDisproved ? `the result file of ${resolution.providerJobId} tells of other devices only` : null)
  )
}

/** What may be done with a job. */
export const resolutionsFor = (job: HeldJob): readonly Resolution['kind'][] =>
  kinds.filter(kind => kindMisfit(job, kind) === null)

const NOT_SENT = 'Its batch was given up by an operator before it was created: the device was not sent.'
const MAYBE_MOVED =
  'Its job was given up by an operator. The device may have moved: check where it is before sending it again.'

/** How the moves of a job that is given up end: finally failed. */
export const givenUp = (status: JobStatus, moves: readonly BatchMove[]): readonly Verdict[] =>
  status === 'claimed'
    ? refusedVerdicts(moves, 'not-moved', NOT_SENT)
    : refusedVerdicts(moves, 'unknown', MAYBE_MOVED)

const longest = 256

/** A JobId as people give it, or null for what cannot be one: blank, too long, or with spaces or control characters. */
export const providerJobIdOf = (text: string): string | null =>
  text !== '' && text.length <= longest && !/[\p{C}\p{Z}]/u.test(text) ? text : null
