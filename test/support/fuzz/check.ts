/** Throws what was found instead; without the diffs of `expect`, which cost more than a case. */
export const check = (holds: boolean, what: string, shown: unknown): void => {
  if (!holds) throw new Error(`not ${what}: ${String(JSON.stringify(shown)).slice(0, 500)}`)
}
