import type { BatchMove, JobStatus } from './job'
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

const instead: Partial<Readonly<Record<JobStatus, string>>> = {
  claimed: 'it was certainly not created, so there is nothing to look for',
  completed: 'its job has ended at the provider, so it exists',
  interrupted: 'its job has ended at the provider, so it exists',
}

/** Why a resolution does not fit a job, for people; null if it does. */
export const misfit = (
  { status, isHeld }: { readonly status: JobStatus; readonly isHeld: boolean },
  { kind }: Resolution,
): string | null => {
  if (status === 'refused' || status === 'settled') return `it is ${status}: nothing is left to be resolved`
  if (!isHeld) return `it is ${status} and not held: the service is at work on it`
  return fits[kind].includes(status) ? null : `it is ${status}: ${instead[status] ?? `${kind} does not fit`}`
}

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
