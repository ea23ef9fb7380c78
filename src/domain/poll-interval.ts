/** Taken for the length of a job before one has ended, ms. */
const FIRST_GUESS_MS = 30_000
const SHORTEST_MS = 200
const LONGEST_MS = 30_000
/** Looks in the time one slot needs for a job: more often spends calls, more rarely leaves slots idle. */
const LOOKS_PER_SLOT = 1.4

export interface PollPace {
  /** Mean time from create to end, ms; null while no job has ended. */
  readonly meanJobMs: number | null
  /** Age of the oldest open job, ms; null or 0 with none open. */
  readonly oldestOpenAgeMs: number | null
  /** Jobs that may be open at once. (Not those that are: the tail would be looked at too rarely.) */
  readonly slots: number
}

/** How long to pause between two Lists, ms. While no job has ended, the mean is at least the age of the oldest. */
export const pollIntervalMs = ({ meanJobMs, oldestOpenAgeMs, slots }: PollPace): number => {
  const expectedMs = meanJobMs ?? Math.max(FIRST_GUESS_MS, oldestOpenAgeMs ?? 0)
  const intervalMs = Math.round(expectedMs / (LOOKS_PER_SLOT * Math.max(1, slots)))
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, intervalMs))
}
