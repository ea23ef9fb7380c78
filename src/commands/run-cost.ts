import type { FlowEvent, Observe } from '../domain/flow-event'

/** What this start of a run has cost and settled, be the run older or not. */
export interface RunCost {
  /** Every call that was answered or timed out. */
  readonly calls: number
  readonly jobsSettled: number
  readonly devicesSettled: number
  /** It went on with a job of an earlier start. */
  readonly isResumed: boolean
}

const after = (cost: RunCost, event: FlowEvent): RunCost => {
  switch (event.kind) {
    case 'call-ended':
      return { ...cost, calls: cost.calls + 1 }
    case 'job-resumed':
      return { ...cost, isResumed: true }
    case 'job-settled': {
      const { moved, failed, retried } = event
      const devicesSettled = cost.devicesSettled + moved + failed + retried
      return { ...cost, jobsSettled: cost.jobsSettled + 1, devicesSettled }
    }
    default:
      return cost
  }
}

export const createRunCost = (): { readonly observe: Observe; readonly now: () => RunCost } => {
  let cost: RunCost = { calls: 0, jobsSettled: 0, devicesSettled: 0, isResumed: false }
  return {
    observe: event => {
      cost = after(cost, event)
    },
    now: () => cost,
  }
}
