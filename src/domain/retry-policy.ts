export interface BackoffPolicy {
  /** Pause after the first attempt, ms. */
  readonly backoffMs: number
  /** No pause is longer, ms. */
  readonly backoffMaxMs: number
}

/** Doubles with every attempt that has failed: `firstMs` after attempt 1. */
export const exponentialMs = (attempt: number, firstMs: number): number => firstMs * 2 ** (attempt - 1)

export const cappedMs = (ms: number, maxMs: number): number => Math.min(ms, maxMs)

/** Between half and the whole, in whole ms. `random` is 0 up to 1. */
export const jitteredMs = (ms: number, random: number): number => Math.round(ms * (0.5 + 0.5 * random))

/** How long to wait after attempt number `attempt` (1-based) has failed, ms. Jitter comes last: it respects the cap. */
export const retryDelayMs = (attempt: number, random: number, policy: BackoffPolicy): number =>
  jitteredMs(cappedMs(exponentialMs(attempt, policy.backoffMs), policy.backoffMaxMs), random)
