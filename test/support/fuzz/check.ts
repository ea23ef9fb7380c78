/** Throws with what was found. `expect` would also make a diff, which takes longer than a whole case. */
export const check = (holds: boolean, what: string, shown: unknown): void => {
  if (!holds) throw new Error(`not ${what}: ${String(JSON.stringify(shown)).slice(0, 500)}`)
}
