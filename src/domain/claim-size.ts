/**
 * What becomes of claims that run into a time limit. The route (or the part of the re-queue) that was claimed rests, so
 * that others are claimed meanwhile, and is then claimed in smaller ranges.
 */

export interface ClaimSize {
  /** Most moves that the next claim takes. */
  readonly most: number
  /** Instant until which nothing is claimed of it, ms since 1970. */
  readonly restsUntil: number
  /** Time after which the last claim was given up, ms. */
  readonly limitMs: number
}

/** By route id, those that are smaller than usual only. */
export type ClaimSizes = ReadonlyMap<number, ClaimSize>

/** Rest for the time that was lost. Claims that fail take a quarter of the time of all claims at most. */
const restShare = 3
const leastRestMs = 1_000

/** A claim of `moves` was given up after `tookMs`. */
export const afterTimeLimit = (moves: number, tookMs: number, nowMs: number): ClaimSize => ({
  most: Math.max(1, Math.floor(moves / 2)),
  restsUntil: nowMs + Math.max(leastRestMs, restShare * tookMs),
  limitMs: tookMs,
})

/** The next claim is twice as large only if that should take half of the time limit at most. */
const growBelow = 1 / 4

/** A claim of `moves` succeeded in `tookMs`. null: it may be as large as usual again, which is `usual`. */
export const afterSuccess = (
  size: ClaimSize,
  moves: number,
  tookMs: number,
  usual: number,
): ClaimSize | null => {
  const isProof = moves >= size.most && tookMs <= growBelow * size.limitMs
  const most = isProof ? size.most * 2 : size.most
  return most >= usual ? null : { ...size, most }
}

/** How long it rests from now on, ms; 0: it does not. */
export const restsForMs = (sizes: ClaimSizes, key: number, nowMs: number): number =>
  Math.max(0, (sizes.get(key)?.restsUntil ?? 0) - nowMs)

/** The candidates that do not rest, and how long it takes until the next one is awake, ms; null: none rests. */
export const withoutResting = <R extends { readonly routeId: number }>(
  candidates: readonly R[],
  sizes: ClaimSizes,
  nowMs: number,
): { readonly awake: readonly R[]; readonly nextInMs: number | null } => {
  const rests = candidates.map(({ routeId }) => restsForMs(sizes, routeId, nowMs))
  const resting = rests.filter(ms => ms > 0)
  return {
    awake: candidates.filter((_, index) => rests[index] === 0),
    nextInMs: resting.length === 0 ? null : resting.reduce((a, b) => Math.min(a, b)),
  }
}
