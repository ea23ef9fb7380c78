/** The metrics of this process and of the database, for Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { FlowEvent } from '../domain/flow-event'
import { addDatabaseMetrics, type ReadFigures } from './database-metrics'

export interface Metrics {
  readonly observe: (event: FlowEvent) => void
  /** Gives the text in the exposition format of Prometheus, and its content type. */
  readonly scrape: () => Promise<{ readonly body: string; readonly contentType: string }>
}

export interface MetricSources {
  readonly database: ReadFigures
  /** Gives null while another process drives. */
  readonly openJobs: () => {
    readonly own: number
    readonly searching: number
    readonly foreign: number
  } | null
}

export const createMetrics = (sources: MetricSources): Metrics => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name: `device_move_${name}`, help, labelNames: [...labelNames], registers: [registry] })
  const appended = counter('appended_moves_total', 'Moves taken in.')
  const rejected = counter('rejections_total', 'Rejections taken in.')
  const calls = counter('calls_total', 'Calls to the provider, by operation and how they ended.', [
    'operation',
    'result',
  ])
  const searchCreates = counter(
    'search_creates_total',
    'Creates spent on searches for bad devices, by result.',
    ['result'],
  )
  const jobs = counter('jobs_total', 'Events of jobs, by kind.', ['event'])
  const lookedUp = counter(
    'looked_up_total',
    'Devices that no result file tells of, by what their look-up says.',
    ['fate'],
  )
  const attempts = counter('attempts_total', 'Settled attempts.', ['result'])
  const published = counter('published_total', 'Outcomes published.', ['outcome'])
  const retries = counter('retries_total', 'Steps done again after a passing fault.', ['flow'])
  const defects = counter('defects_total', 'Unexpected errors; each is in the log.', ['flow'])
  const jobSeconds = new Histogram({
    name: 'device_move_job_seconds',
    help: 'Time from the create of a job to its end.',
    buckets: [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600],
    registers: [registry],
  })
  const callSeconds = new Histogram({
    name: 'device_move_call_seconds',
    help: 'Time from a call to its answer.',
    labelNames: ['operation'],
    buckets: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20],
    registers: [registry],
  })
  addDatabaseMetrics(registry, sources.database)
  new Gauge({
    name: 'device_move_open_jobs',
    help: 'Jobs open in the account as last seen: ours (own), those of ours that search for bad devices (search), and foreign ones; only the process that drives has them.',
    labelNames: ['whose'],
    registers: [registry],
    collect() {
      this.reset()
      const open = sources.openJobs()
      if (open === null) return
      this.set({ whose: 'own' }, open.own)
      this.set({ whose: 'search' }, open.searching)
      this.set({ whose: 'foreign' }, open.foreign)
    },
  })

  const observe = (event: FlowEvent): void => {
    switch (event.kind) {
      case 'appended':
        appended.inc(event.moves)
        rejected.inc(event.rejections)
        break
      case 'call-ended':
        calls.inc({ operation: event.operation, result: event.result })
        callSeconds.observe({ operation: event.operation }, event.tookMs / 1000)
        break
      case 'job-ended':
        jobSeconds.observe(event.tookMs / 1000)
        jobs.inc({ event: event.as })
        break
      case 'devices-looked-up':
        lookedUp.inc({ fate: 'moved' }, event.moved)
        lookedUp.inc({ fate: 'elsewhere' }, event.elsewhere)
        lookedUp.inc({ fate: 'untold' }, event.untold)
        break
      case 'part-settled':
      case 'job-settled':
        attempts.inc({ result: 'moved' }, event.moved)
        attempts.inc({ result: 'failed' }, event.failed)
        attempts.inc({ result: 'retried' }, event.retried)
        if (event.kind === 'job-settled') jobs.inc({ event: 'settled' })
        break
      case 'job-created':
        if (event.isSearch) searchCreates.inc({ result: 'accepted' })
        jobs.inc({ event: 'created' })
        break
      case 'create-refused':
        if (event.isSearch) searchCreates.inc({ result: 'refused' })
        jobs.inc({ event: 'create-refused' })
        break
      case 'job-denied':
      case 'job-held':
      case 'job-overdue':
      case 'job-resumed':
      case 'route-held':
      case 'create-unanswered':
        jobs.inc({ event: event.kind.replace('job-', '') })
        break
      case 'published':
        for (const [outcome, count] of Object.entries(event.outcomes)) published.inc({ outcome }, count)
        break
      case 'retrying':
        retries.inc({ flow: event.flow })
        break
      case 'defect':
        defects.inc({ flow: event.flow })
        break
      default:
        break
    }
  }
  return {
    observe,
    scrape: async () => ({ body: await registry.metrics(), contentType: registry.contentType }),
  }
}
