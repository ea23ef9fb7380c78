/** Promises that were broken; each promise is listed once. */
export interface Violation {
  readonly promise: string
  readonly detail: string
}

export interface Violations {
  readonly found: readonly Violation[]
  broken(promise: string, detail: string): void
}

export const createViolations = (onFirst: (violation: Violation) => void): Violations => {
  const found: Violation[] = []
  return {
    found,
    broken: (promise, detail) => {
      if (found.some(each => each.promise === promise)) return
      const violation = { promise, detail }
      found.push(violation)
      onFirst(violation)
    },
  }
}
