/** Composition root of the service: adapters from the configuration, the flows on them, the one subscribe(). */
import { firstValueFrom } from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { readinessOf } from '../health/readiness'
import { type Status, statusOf, unreachable } from '../health/status'
import { createMutations } from '../http/mutations'
import { type HttpReadiness, type HttpServer, startHttpServer } from '../http/server'
import { createRequestSource } from '../kafka/consumer/kafka-request-source'
import { createOutcomeSink } from '../kafka/publisher/kafka-outcome-sink'
import type { RouteControl } from '../ports/journal'
import type { OutcomeSink } from '../ports/outcome-sink'
import type { RequestSource, SourceHealth } from '../ports/request-source'
import { createRecordParser, journalChunks } from '../requests/parse-record'
import { type Logger, logEvents } from '../telemetry/logger'
import { createMetrics } from '../telemetry/metrics'
import type { Config } from './config'
import { openDatabase } from './open-database'
import { createService, type Service } from './service'
import { defaultTarget, jobApi, kafkaOptions, outcomeSinkOptions, policies, quota } from './wiring'

export interface MainOptions {
  /** Apply migrations first. */
  readonly migrate: boolean
  readonly logger: Logger
  /** Takes the place of Kafka, for the commands without it. */
  readonly source?: RequestSource
  /** null: nothing is published, and outcomes stay in the database. */
  readonly sink?: OutcomeSink | null
  /** Receives every flow event, as log and metrics do. */
  readonly observe?: Observe
  /** false: there is no HTTP server. */
  readonly http?: boolean
}

export interface Running {
  /** Resolves once all is up. It waits for servers that are away, and rejects for what waiting cannot cure. */
  readonly started: Promise<{ readonly service: Service; readonly httpUrl: string | null }>
  /** Resolves with the error that ends the service; pending while all is well. */
  readonly failed: Promise<unknown>
  /** Stops intake and new jobs, waits for what is under way, releases the lease, and stops every part. */
  stop(): Promise<void>
}

export const startMain = (config: Config, options: MainOptions): Running => {
  const { logger } = options
  const stops: (() => Promise<void>)[] = []
  let stopping = false
  let service: Service | null = null
  let routes: RouteControl | null = null
  let readiness: () => Promise<HttpReadiness> = async () => ({
    ready: false,
    because: ['waiting for the database'],
  })
  let status: () => Promise<Status> = async () => statusOf(new Date(), unreachable, null)
  let scrape: () => Promise<{ body: string; contentType: string }> = async () => ({
    body: '',
    contentType: 'text/plain',
  })

  const startHttp = async (): Promise<HttpServer | null> => {
    if (options.http === false) return null
    const server = await startHttpServer(config.httpHost, config.httpPort, {
      readiness: () => readiness(),
      status: () => status(),
      scrape: () => scrape(),
      mutations: createMutations({
        token: config.httpToken,
        routes: () => routes,
        onChange: (hold, from) =>
          logger.info({ ...hold, from }, hold.heldAt === null ? 'route-released' : 'route-held'),
      }),
      onError: error => logger.error({ err: error }, 'http'),
    })
    stops.push(server.stop)
    logger.info({ url: server.url }, 'listening')
    return server
  }

  const kafkaSource = (): RequestSource => {
    const source = createRequestSource({
      kafka: kafkaOptions(config, logger),
      groupId: config.kafkaGroupId,
      topic: config.kafkaRequestsTopic,
      createTopics: config.kafkaCreateTopics,
      random: Math.random,
    })
    stops.push(source.stop)
    return source
  }
  const kafkaSink = (): OutcomeSink => {
    const sink = createOutcomeSink(outcomeSinkOptions(config, logger))
    stops.push(sink.stop)
    return sink
  }

  let ended: Promise<unknown> = Promise.resolve()
  const start = async (): Promise<{ service: Service; httpUrl: string | null }> => {
    const http = await startHttp()
    const database = await openDatabase(config, {
      migrate: options.migrate,
      logger,
      isStopping: () => stopping,
    })
    stops.push(database.stop)
    routes = database.routes
    const source = options.source ?? kafkaSource()
    const sink = options.sink === undefined ? kafkaSink() : options.sink
    const metrics = createMetrics({
      database: database.reads.figures,
      openJobs: () => service?.status().openJobs ?? null,
    })
    const log = logEvents(logger)
    const made = createService({
      ...database.parts,
      source,
      toJournal: journalChunks(createRecordParser(defaultTarget(config))),
      api: jobApi(config),
      sink,
      publisher: config.kafkaTransactionalId,
      policies: policies(config),
      quota: quota(config),
      callTimeoutMs: config.callTimeoutMs,
      observe: event => {
        log(event)
        metrics.observe(event)
        options.observe?.(event)
      },
      random: Math.random,
    })
    service = made
    scrape = metrics.scrape
    const health = (): Promise<SourceHealth> => firstValueFrom(source.health$)
    readiness = async () => readinessOf(made.status(), await health(), await database.reads.answers())
    status = async () => {
      const reading = await database.reads.status()
      return statusOf(new Date(), reading, { ...made.status(), source: await health() })
    }
    ended = new Promise<unknown>(resolve => {
      made.run$.subscribe({ error: resolve, complete: () => resolve(null) })
    })
    return { service: made, httpUrl: http?.url ?? null }
  }

  const started = start()
  const failed = started.then(
    () => ended.then(error => (error === null ? new Promise<never>(() => undefined) : error)),
    (error: unknown) => error,
  )
  const stopAll = async (): Promise<void> => {
    stopping = true
    service?.stop()
    await started.catch(() => undefined)
    service?.stop()
    await ended
    for (const stop of stops.reverse()) await stop()
  }
  let stopped: Promise<void> | null = null
  return {
    started,
    failed,
    stop: () => {
      stopped ??= stopAll()
      return stopped
    },
  }
}
