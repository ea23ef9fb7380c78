/** Promises that were broken; each promise is listed once. */
export interface Violation {
  readonly promise: string
  readonly detail: string
}

export interface Violations {
  readonly found: readonly Violation[]
  /** From now on only these promises count; the others cannot be kept in the world as it is. */
  onlyKeep(promises: readonly string[]): void
  broken(promise: string, detail: string): void
}

export const createViolations = (onFirst: (violation: Violation) => void): Violations => {
  const found: Violation[] = []
  let kept: readonly string[] | null = null
  return {
    found,
    onlyKeep: promises => {
      kept = promises
    },
    broken: (promise, detail) => {
      if (kept !== null && !kept.includes(promise)) return
      if (found.some(each => each.promise === promise)) return
      const violation = { promise, detail }
      found.push(violation)
      onFirst(violation)
    },
  }
}
