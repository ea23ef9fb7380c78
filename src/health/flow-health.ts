/** What each flow is doing, and which problem it has. */

import type { FlowName } from '../domain/flow-event'

/** What is retried on its own. `list` is the poll of the provider's List, whose problems are those of the provider. */
export type StepName = FlowName | 'list'

/**
 * `starting`: the flow makes sure that the database is the one it published from. `retrying`: a step has failed and is
 * tried again. `stopped`: the flow waits for people. `ended`: it was stopped, or its source has ended.
 */
export type FlowState = 'starting' | 'running' | 'retrying' | 'standing-by' | 'stopped' | 'ended'

export interface FlowHealth {
  readonly state: FlowState
  /** The last error that no success has followed yet, as a text for people; null when there is none. */
  readonly problem: string | null
}

export interface FlowBook {
  is(flow: FlowName, state: Exclude<FlowState, 'retrying'>): void
  /** Notes that a step has failed. False if its last failure had the same reason: the same `code`, else the same text. */
  failed(step: StepName, problem: string, code?: string | null): boolean
  /** Notes that a step has worked. True if it had failed before. */
  worked(step: StepName): boolean
  read(): Readonly<Record<FlowName, FlowHealth>>
}

/** Every flow waits for people to do something about `problem`. */
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
      // A problem belongs to the state in which it occurred.
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
