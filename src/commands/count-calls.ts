import type { Observe } from '../domain/flow-event'

/** Counts what a run costs: every call that was answered or timed out. */
export const createCallCounter = (): { readonly observe: Observe; readonly total: () => number } => {
  let calls = 0
  return {
    observe: event => {
      if (event.kind === 'call-ended') calls += 1
    },
    total: () => calls,
  }
}
