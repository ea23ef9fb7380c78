/** The one formula for pauses between tries. */

export interface BackoffPolicy {
  /** Pause after the first failure, ms. It doubles with every further one. */
  readonly backoffMs: number
  /** No pause is longer, ms. */
  readonly backoffMaxMs: number
}

/**
 * Pause after failure number `attempt` (1-based) in a row, in whole ms. The random part takes off up to half, after the
 * cap, so that those who failed together do not come back together. `random` is 0 up to 1; 1 gives the whole pause.
 */
export const retryDelayMs = (
  attempt: number,
  random: number,
  { backoffMs, backoffMaxMs }: BackoffPolicy,
): number => Math.round(Math.min(backoffMs * 2 ** (attempt - 1), backoffMaxMs) * (0.5 + 0.5 * random))
