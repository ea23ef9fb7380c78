/** What `/readyz` says: whether the process can take requests in and publish outcomes, or why not. */
import type { FlowName } from '../domain/flow-event'
import type { RateLimiter } from '../operators/rate-limit'
import type { Operation } from '../ports/job-api'
import type { LeaseState } from '../ports/lease'
import type { SourceHealth } from '../ports/request-source'
import { type ProviderBook, type ProviderTrouble, troubleText } from './provider-health'

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

/** What one process says of itself at one moment. */
export interface ServiceStatus {
  readonly lease: LeaseState['kind']
  readonly holder: string | null
  /** Jobs open in the account as last seen, and how many there may be; null when this process does not drive. */
  readonly openJobs: {
    readonly own: number
    /** Those of `own` that search for bad devices. */
    readonly searching: number
    readonly foreign: number
    readonly capacity: number
  } | null
  /** The provider's latest refusal of the account; null when the last answer was none. */
  readonly accountRefused: ReturnType<ProviderBook['refusal']>
  /** Why no call has succeeded for a while; null when calls succeed or none was made. */
  readonly provider: ProviderTrouble | null
  /** The calls that use up the quota now; null when another process makes them. */
  readonly quota: ReturnType<RateLimiter<Operation>['inUse']> | null
  readonly flows: Readonly<Record<FlowName, FlowHealth>>
}

export interface Readiness extends ServiceStatus {
  readonly ready: boolean
  /** What has to change before it is ready. A provider that does not answer is named too, and does not count. */
  readonly because: readonly string[]
  /** Health of the requests topic. */
  readonly source: SourceHealth
  /** Whether the database answers. */
  readonly database: boolean
}

/**
 * Problems of the drive flow and of the provider do not count. No other process could do better while the provider is
 * away, and requests are taken in all the while.
 */
export const readinessOf = (status: ServiceStatus, source: SourceHealth, database: boolean): Readiness => {
  const { intake, publish } = status.flows
  const because: string[] = []
  if (!database) because.push('the database does not answer')
  if (source.state !== 'assigned' && source.state !== 'standing-by' && intake.state !== 'stopped')
    because.push(source.reason ?? 'partitions of the requests topic are not assigned yet')
  for (const { state, problem } of [intake, publish])
    if (problem !== null && state !== 'standing-by' && !because.includes(problem)) because.push(problem)
  const ready = because.length === 0
  if (status.provider !== null) because.push(troubleText(status.provider))
  return { ready, because, source, database, ...status }
}

/** What only the running process knows. */
export interface ProcessStatus extends ServiceStatus {
  readonly source: SourceHealth
}
