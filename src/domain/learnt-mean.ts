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
