/** Taken for the length of a job before one has ended, ms. */
const FIRST_GUESS_MS = 30_000
const SHORTEST_MS = 200
const LONGEST_MS = 30_000
/** Looks in the time one slot needs for a job: more often spends calls, more rarely leaves slots idle. */
const LOOKS_PER_SLOT = 1.4
/** With fewer slots than this, one that stands idle between two looks weighs more and polls are few anyway. */
const FEWEST_SLOTS = 5
/** While no job has ended: a look after so much of the age of the oldest open one, at the earliest after 1 s. */
const FIRST_LOOK_MS = 1_000
const AGE_SHARE = 0.5

export interface PollPace {
  /** Mean time from create to end, ms; null while no job has ended. */
  readonly meanJobMs: number | null
  /** Age of the oldest open job, ms; null or 0 with none open. */
  readonly oldestOpenAgeMs: number | null
  /** Jobs that may be open at once. (Not those that are: the tail would be looked at too rarely.) */
  readonly slots: number
}

const clamp = (ms: number): number => Math.min(LONGEST_MS, Math.max(SHORTEST_MS, Math.round(ms)))

/** How long to pause between two Lists, ms. While no job has ended, the mean is at least the age of the oldest. */
export const pollIntervalMs = ({ meanJobMs, oldestOpenAgeMs, slots }: PollPace): number => {
  const ageMs = oldestOpenAgeMs ?? 0
  const shareOf = (jobMs: number): number => jobMs / (LOOKS_PER_SLOT * Math.max(FEWEST_SLOTS, slots))
  if (meanJobMs !== null) return clamp(shareOf(meanJobMs))
  return clamp(Math.min(shareOf(Math.max(FIRST_GUESS_MS, ageMs)), Math.max(FIRST_LOOK_MS, ageMs * AGE_SHARE)))
}

/** A mean that is followed while it is used. */
export interface LearntMean {
  /** null: nothing is known yet. */
  meanMs(): number | null
  learn(ms: number): void
}

/** Newer values count more, so that a change of pace is followed within about so many of them. */
const memory = 10

/** `known`: what was learnt before; null if nothing was. The first few values count in full. */
export const createLearntMean = (known: number | null): LearntMean => {
  let mean = known
  let count = 0
  return {
    meanMs: () => mean,
    learn: ms => {
      count = Math.min(memory, count + 1)
      mean = mean === null ? ms : mean + (ms - mean) / count
    },
  }
}
