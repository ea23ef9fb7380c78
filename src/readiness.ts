/** Able to take requests in and to let outcomes out, or why not: what `/readyz` says. */
import type { SourceHealth } from './ports'
import type { ServiceStatus } from './service'

export interface Readiness extends ServiceStatus {
  readonly ready: boolean
  /** What has to change before it is ready; empty when it is. */
  readonly because: readonly string[]
  /** Of the requests topic. */
  readonly source: SourceHealth
  /** Whether the database answers. */
  readonly database: boolean
}

/** The provider may refuse us for a while without anybody being able to do better: drive's troubles do not count. */
export const readinessOf = (status: ServiceStatus, source: SourceHealth, database: boolean): Readiness => {
  const { intake, publish } = status.flows
  const because: string[] = []
  if (!database) because.push('the database does not answer')
  if (source.state !== 'assigned' && source.state !== 'standing-by' && intake.state !== 'stopped')
    because.push(source.reason ?? 'partitions of the requests topic are not assigned yet')
  for (const { state, problem } of [intake, publish])
    if (problem !== null && state !== 'standing-by' && !because.includes(problem)) because.push(problem)
  return { ready: because.length === 0, because, source, database, ...status }
}
