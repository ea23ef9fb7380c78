const firstMs = 1_000
/** Whoever comes back is noticed within seconds. */
const longestMs = 5_000

/**
 * How long to wait after so many failures in a row (1-based): 1 s, doubling to 5 s, of which a random fifth is
 * taken off so that replicas do not come back all at once. `random` gives [0, 1).
 */
export const backOffMs = (failures: number, random: () => number): number =>
  Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 10)) * (1 - 0.2 * random())
