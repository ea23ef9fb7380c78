/** Gives the next number of a seeded sequence, 0 ≤ x < 1. */
export type Random = () => number

/** A small 32-bit generator (mulberry32). It is fast and repeatable, and good enough for faults and durations. */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** 32 bits that depend on every character of every part, for draws that must not depend on the order of calls. */
export const hash32 = (...parts: readonly (string | number)[]): number => {
  let hash = 0x811c9dc5
  for (const part of parts) {
    const text = `${part}|`
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** `hash32` as a number 0 ≤ x < 1. */
export const chance = (...parts: readonly (string | number)[]): number => hash32(...parts) / 2 ** 32

/** Whether something of probability `rate` happens here. It costs nothing at rate 0. */
export const happens = (rate: number, ...parts: readonly (string | number)[]): boolean =>
  rate > 0 && chance(...parts) < rate

/** A log-normal factor with median 1; with `sigma` 0 it is always 1. */
export const logNormal = (random: Random, sigma: number): number => {
  if (sigma === 0) return 1
  const radius = Math.sqrt(-2 * Math.log(1 - random()))
  return Math.exp(sigma * radius * Math.cos(2 * Math.PI * random()))
}

/** `length` characters of A-Z a-z 0-9. */
export const randomText = (random: Random, length: number): string => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  return Array.from({ length }, () => letters.charAt(Math.floor(random() * letters.length))).join('')
}
