/** What `/readyz` says: whether the process can take requests in and let outcomes out, or why not. */
import type { ServiceStatus } from '../app/service'
import type { SourceHealth } from '../ports/request-source'
import { troubleText } from './provider-health'

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
