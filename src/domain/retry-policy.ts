/** The one formula for the pause between two tries. */

export interface BackoffPolicy {
  /** Pause after the first failure, ms. Every further failure doubles it. */
  readonly backoffMs: number
  /** The longest pause, ms. */
  readonly backoffMaxMs: number
}

/**
 * The pause after failure number `attempt` (1-based) in a row, in whole ms. `random` is 0 up to 1 and shortens the
 * pause by up to half, so that what failed together is not tried again together: 1 gives the whole pause, 0 half of it.
 * It is applied after the cap, so that capped pauses differ too.
 */
export const retryDelayMs = (
  attempt: number,
  random: number,
  { backoffMs, backoffMaxMs }: BackoffPolicy,
): number => Math.round(Math.min(backoffMs * 2 ** (attempt - 1), backoffMaxMs) * (0.5 + 0.5 * random))
