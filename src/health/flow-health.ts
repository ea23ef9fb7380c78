/** What each flow is doing, and what it cannot get over. */

import type { FlowName } from '../domain/flow-event'

/** What is done again on its own. `list`: the provider's List, whose troubles are the provider's, not a flow's. */
export type StepName = FlowName | 'list'

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
  /** A step has failed. False if it had failed for the same reason before (`code`, else the text): no news. */
  failed(step: StepName, problem: string, code?: string | null): boolean
  /** A step has worked. True if one had failed before. */
  worked(step: StepName): boolean
  read(): Readonly<Record<FlowName, FlowHealth>>
}

/** Every flow waits for somebody to do something about `problem`. */
export const allStopped = (problem: string): Readonly<Record<FlowName, FlowHealth>> => {
  const stopped: FlowHealth = { state: 'stopped', problem }
  return { intake: stopped, drive: stopped, publish: stopped }
}

export const createFlowBook = (): FlowBook => {
  const states = new Map<FlowName, Exclude<FlowState, 'retrying'>>()
  const problems = new Map<StepName, { readonly text: string; readonly reason: string }>()
  const read = (flow: FlowName): FlowHealth => {
    const problem = problems.get(flow)?.text ?? null
    const state = states.get(flow) ?? 'starting'
    return { state: problem !== null && state === 'running' ? 'retrying' : state, problem }
  }
  return {
    is: (flow, state) => {
      if (states.get(flow) === state) return
      states.set(flow, state)
      // What went wrong before belongs to what it was then.
      problems.delete(flow)
      if (flow === 'drive') problems.delete('list')
    },
    failed: (step, problem, code) => {
      const reason = code ?? problem
      const isNews = problems.get(step)?.reason !== reason
      problems.set(step, { text: problem, reason })
      return isNews
    },
    worked: step => problems.delete(step),
    read: () => ({ intake: read('intake'), drive: read('drive'), publish: read('publish') }),
  }
}
