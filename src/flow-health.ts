/** What each flow is doing, and what it cannot get over. */

export type FlowName = 'intake' | 'drive' | 'publish'

/**
 * `starting`: makes sure that the database is the one it published from. `retrying`: a step fails and is done again.
 * `stopped`: waits for somebody. `ended`: told to, or its source has ended.
 */
export type FlowState = 'starting' | 'running' | 'retrying' | 'standing-by' | 'stopped' | 'ended'

export interface FlowHealth {
  readonly state: FlowState
  /** The last error that no success has followed yet, for people; null when all is well. */
  readonly problem: string | null
}

export interface FlowBook {
  is(flow: FlowName, state: Exclude<FlowState, 'retrying'>): void
  /** A step has failed. False if it had failed for the same reason before: no news. */
  failed(flow: FlowName, problem: string): boolean
  /** A step has worked. True if one had failed before. */
  worked(flow: FlowName): boolean
  read(): Readonly<Record<FlowName, FlowHealth>>
}

/** Every flow waits for somebody to do something about `problem`. */
export const allStopped = (problem: string): Readonly<Record<FlowName, FlowHealth>> => {
  const stopped: FlowHealth = { state: 'stopped', problem }
  return { intake: stopped, drive: stopped, publish: stopped }
}

export const createFlowBook = (): FlowBook => {
  const states = new Map<FlowName, Exclude<FlowState, 'retrying'>>()
  const problems = new Map<FlowName, string>()
  const read = (flow: FlowName): FlowHealth => {
    const problem = problems.get(flow) ?? null
    const state = states.get(flow) ?? 'starting'
    return { state: problem !== null && state === 'running' ? 'retrying' : state, problem }
  }
  return {
    is: (flow, state) => {
      if (states.get(flow) === state) return
      states.set(flow, state)
      // What went wrong before belongs to what it was then.
      problems.delete(flow)
    },
    failed: (flow, problem) => {
      const isNews = problems.get(flow) !== problem
      problems.set(flow, problem)
      return isNews
    },
    worked: flow => problems.delete(flow),
    read: () => ({ intake: read('intake'), drive: read('drive'), publish: read('publish') }),
  }
}
