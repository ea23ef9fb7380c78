import { type BackoffPolicy, retryDelayMs } from './retry-policy'

/**
 * What one try for a job's results came to. `rows`: a file that was read. `none`: the provider says that there is no
 * file. `refused`: it answers with another code. `strangers`: a file of other devices. `empty`: one without a row.
 * `unreadable`: none that can be read. `unavailable`: no answer, throttled, not permitted just now, a link that had run out,
 * or a store that could not be reached.
 */
export type ResultsAnswer =
  | 'rows'
  | 'none'
  | 'refused'
  | 'wrong-devices'
  | 'empty'
  | 'unreadable'
  | 'unavailable'

export interface ResultsSoFar {
  /** List gave its JobId: until a file tells of its devices, it may be another's. */
  readonly isFound: boolean
  readonly ended: 'completed' | 'interrupted'
  /** Every answer so far, at least one, the latest last. */
  readonly answers: readonly ResultsAnswer[]
  /** Devices of the job that have a row by now, of whichever file. */
  readonly reported: number
  /** Devices of the job that have none. */
  readonly missing: number
}

export type AskDecision =
  | { readonly kind: 'settle' }
  | { readonly kind: 'again'; readonly afterMs: number }
  /** The job is another's. */
  | { readonly kind: 'not-ours' }
  /** A human has to look: whatever is done by rule could lose or double a move. */
  | { readonly kind: 'hold' }

/** A file takes a moment to be written, and a second one may say what the first left out. */
const freshFileMs = 5_000
/** Nothing is known against trying for ever; but these calls outrank the polls, so they become rare. */
const unavailable: BackoffPolicy = { backoffMs: 1_000, backoffMaxMs: 300_000 }
/** 5 s, 10 s, 20 s, 40 s (less the jitter) between the tries below. */
const doubtfulPauses: BackoffPolicy = { backoffMs: 5_000, backoffMaxMs: 60_000 }
const maxDoubtful = 5
type Answers = Readonly<Record<ResultsSoFar['ended'], readonly ResultsAnswer[]>>
/** Says that the job did nothing: a completed one has done something. */
const nothing: Answers = { completed: ['none'], interrupted: ['none', 'empty'] }
const doubtful: Answers = {
  completed: ['refused', 'wrong-devices', 'unreadable', 'empty'],
  interrupted: ['refused', 'wrong-devices', 'unreadable'],
}
/** So many files, or words that there is none, are enough: a file is not yet whole, perhaps, when the job ends. */
const maxFiles = 2

const count = (answers: readonly ResultsAnswer[], ...kinds: readonly ResultsAnswer[]): number =>
  answers.filter(answer => kinds.includes(answer)).length

/** The latest answers that were all `unavailable`. */
const unavailableInARow = (answers: readonly ResultsAnswer[]): number =>
  answers.length - 1 - answers.findLastIndex(answer => answer !== 'unavailable')

/**
 * Whether to ask for a job's results again, settle it with what is known, or hold it. `random` is 0 up to 1.
 *
 * A completed job is asked once more for devices without a row. An interrupted job's file is taken as it is, and it
 * need not have one, or one with a row. An answer that no table knows is never taken for "there is no file": after a few
 * tries the job is held, unless an earlier file has told of some devices. A job that was only found is another's if the
 * files that could be read tell of other devices only; one that the create answered with is ours whatever they tell.
 */
export const decideOnResults = (so: ResultsSoFar, random: number): AskDecision => {
  const latest = so.answers.at(-1)
  const again = (afterMs: number): AskDecision => ({ kind: 'again', afterMs })
  const isOthers = so.isFound && so.reported === 0 && so.answers.includes('wrong-devices')
  const decided = (kind: 'settle' | 'hold'): AskDecision => ({ kind: isOthers ? 'not-ours' : kind })
  const settle = decided('settle')
  if (so.missing === 0) return settle
  if (latest === undefined || latest === 'unavailable')
    return again(retryDelayMs(unavailableInARow(so.answers), random, unavailable))
  if (latest === 'rows') {
    if (so.ended === 'interrupted') return settle
    return count(so.answers, 'rows') < maxFiles ? again(freshFileMs) : settle
  }
  if (nothing[so.ended].includes(latest)) {
    if (count(so.answers, ...nothing[so.ended]) < maxFiles) return again(freshFileMs)
    return decided(so.ended === 'interrupted' || so.reported > 0 ? 'settle' : 'hold')
  }
  const tries = count(so.answers, ...doubtful[so.ended])
  if (tries < maxDoubtful) return again(retryDelayMs(tries, random, doubtfulPauses))
  return decided(so.reported > 0 ? 'settle' : 'hold')
}
