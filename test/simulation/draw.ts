/** Draws from a stream of random numbers. */
export interface Draw {
  readonly random: () => number
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number
  chance(of: number): boolean
  oneOf<T>(choices: readonly [T, ...T[]]): T
}

export const createDraw = (random: () => number): Draw => ({
  random,
  between: (from, to) => from + Math.floor(random() * (to - from + 1)),
  chance: of => random() < of,
  oneOf: choices => choices[Math.floor(random() * choices.length)] ?? choices[0],
})
