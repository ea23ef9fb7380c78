import {
  BehaviorSubject,
  catchError,
  defer,
  map,
  type Observable,
  ReplaySubject,
  retry,
  takeUntil,
  timer,
  from as wrap,
} from 'rxjs'
import { RestoredDatabaseError } from '../../domain/restored-database'
import { retryDelayMs } from '../../domain/retry-policy'
import type { RequestSource, SourceHealth } from '../../ports/request-source'
import { committedOffsets, withAdmin } from '../admin'
import { advised } from '../advice'
import { type KafkaOptions, reconnectPolicy, transientOf } from '../kafka-client'
import { consumerLife } from './consumer-life'

export interface RequestSourceOptions {
  readonly kafka: KafkaOptions
  readonly groupId: string
  readonly topic: string
  /** true: create the topic if it is missing. Otherwise wait until it exists. */
  readonly createTopics?: boolean | undefined
  /** Gives 0 up to 1: jitter of the pauses between attempts. */
  readonly random: () => number
}

export interface KafkaRequestSource extends RequestSource {
  /** Completes every `chunks`. Resolves when each consumer has left its group, or has been given up after 5 s. */
  stop(): Promise<void>
}

/** After a consumer that lived this long, the pauses start from the shortest again. */
const wellAfterMs = 60_000

/**
 * Requests from a Kafka topic. It builds a new consumer after any error, with growing pauses. What it waits for stands in
 * `health$`, and in the log once per change.
 */
export const createRequestSource = (options: RequestSourceOptions): KafkaRequestSource => {
  const { kafka, topic, random } = options
  const health = new BehaviorSubject<SourceHealth>({ state: 'starting', reason: null })
  const stop$ = new ReplaySubject<void>(1)
  /** Settles when every consumer so far has left its group, or was given up. */
  let left: Promise<unknown> = Promise.resolve()

  const report = (next: SourceHealth): void => {
    const last = health.value
    if (last.state === next.state && last.reason === next.reason) return
    kafka.log(next.reason === null ? 'info' : 'warn', `requests: ${next.state}`, {
      topic,
      reason: next.reason,
    })
    health.next(next)
  }

  const clusterId = (): Observable<string> =>
    defer(() => wrap(withAdmin(kafka, admin => admin.describeCluster()))).pipe(
      map(cluster => cluster.clusterId),
      retry({
        delay: (error: unknown, failures) => {
          report({ state: 'starting', reason: advised(error) })
          return timer(retryDelayMs(failures, random(), reconnectPolicy))
        },
      }),
      takeUntil(stop$),
    )

  const chunks: RequestSource['chunks'] = book =>
    defer(() => {
      let failures = 0
      let wasAssigned = false
      let startedAt = 0
      return defer(() => {
        startedAt = Date.now()
        return consumerLife({
          kafka,
          topic,
          random,
          book,
          groupId: options.groupId,
          createTopics: options.createTopics === true,
          before: left,
          leaving: leaves => {
            left = Promise.all([left, leaves])
          },
          health: next => {
            wasAssigned ||= next.state !== 'starting'
            report(next)
          },
        })
      }).pipe(
        retry({
          delay: error => {
            if (error instanceof RestoredDatabaseError) throw error
            failures = Date.now() - startedAt > wellAfterMs ? 1 : failures + 1
            report({ state: wasAssigned ? 'failed' : 'starting', reason: `${topic}: ${advised(error)}` })
            return timer(retryDelayMs(failures, random(), reconnectPolicy))
          },
        }),
      )
    }).pipe(takeUntil(stop$))

  const committed: RequestSource['committed'] = () =>
    defer(() =>
      withAdmin(kafka, async admin => {
        const cluster = await admin.describeCluster()
        const offsets = await committedOffsets(admin, topic, options.groupId)
        return { clusterId: cluster.clusterId, topic, offsets }
      }),
    ).pipe(
      catchError((error: unknown) => {
        throw transientOf(error, 'cannot ask Kafka how far requests are read')
      }),
    )

  return {
    clusterId,
    committed,
    chunks,
    health$: health.asObservable(),
    stop: async () => {
      stop$.next()
      await left
    },
  }
}
