/** What follows from how long jobs take: how often to look at them, and from when one takes too long. */

/** Length that a job is taken to have before one has ended, ms. */
const FIRST_GUESS_MS = 30_000
const SHORTEST_MS = 200
const LONGEST_MS = 30_000
/** Lists for each job that ends while all slots are busy. More Lists cost calls, fewer leave slots idle. */
const LOOKS_PER_END = 1.4
/** Slots that are reckoned with at least. With fewer, an idle slot weighs more and there are few polls anyway. */
const FEWEST_SLOTS = 5
/** While no job has ended, the pause is this share of the age of the oldest open job, and at least `FIRST_LOOK_MS`. */
const AGE_SHARE = 0.5
const FIRST_LOOK_MS = 1_000
/** A learnt mean follows a change of pace within about this many values. */
const MEMORY = 10

export interface PollPace {
  /** Mean time from create to end, ms. null: no job has ended yet. */
  readonly meanJobMs: number | null
  /** Age of the oldest open job, ms. null or 0: no job is open. */
  readonly oldestOpenAgeMs: number | null
  /** Jobs that may be open at once. The jobs that are open would not do: the last ones would be polled too rarely. */
  readonly slots: number
}

const clamp = (ms: number): number => Math.min(LONGEST_MS, Math.max(SHORTEST_MS, Math.round(ms)))

/**
 * The pause between two Lists, 200 to 30,000 ms. While no job has ended, a job is taken to last 30 s, or as long as the
 * oldest open one has lasted if that is longer.
 */
export const pollIntervalMs = ({ meanJobMs, oldestOpenAgeMs, slots }: PollPace): number => {
  const ageMs = oldestOpenAgeMs ?? 0
  const shareOf = (jobMs: number): number => jobMs / (LOOKS_PER_END * Math.max(FEWEST_SLOTS, slots))
  if (meanJobMs !== null) return clamp(shareOf(meanJobMs))
  return clamp(Math.min(shareOf(Math.max(FIRST_GUESS_MS, ageMs)), Math.max(FIRST_LOOK_MS, ageMs * AGE_SHARE)))
}

/** A younger job is never overdue, ms. */
export const NEVER_OVERDUE_MS = 30 * 60_000

/**
 * The age from which a running job is overdue, ms: so many times (`factor`) the mean time from create to end, and at least
 * half an hour. `meanJobMs` null: no job has ended yet.
 */
export const overdueAfterMs = (meanJobMs: number | null, factor: number): number =>
  Math.max(NEVER_OVERDUE_MS, (meanJobMs ?? FIRST_GUESS_MS) * factor)

/** A mean length of jobs that is kept up to date. */
export interface LearntMean {
  /** The mean, ms. null: nothing is known yet. */
  meanMs(): number | null
  /** Takes in the length of one more job, ms. */
  learn(ms: number): void
}

/**
 * `known` is the mean learnt before, ms, or null. The first value learnt replaces it, the next ones count as in a plain
 * mean, and from the tenth on each counts one tenth.
 */
export const createLearntMean = (known: number | null): LearntMean => {
  let mean = known
  let count = 0
  return {
    meanMs: () => mean,
    learn: ms => {
      count = Math.min(MEMORY, count + 1)
      mean = mean === null ? ms : mean + (ms - mean) / count
    },
  }
}
