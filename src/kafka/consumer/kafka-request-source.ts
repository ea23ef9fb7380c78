import { BehaviorSubject, defer, map, type Observable, retry, timer, from as wrap } from 'rxjs'
import { messageOf } from '../../domain/error-text'
import type { RequestSource, SourceHealth } from '../../ports/request-source'
import { withAdmin } from '../admin'
import { backOffMs, type KafkaOptions } from '../kafka-client'
import { consumerLife } from './consumer-life'

export interface RequestSourceOptions {
  readonly kafka: KafkaOptions
  readonly groupId: string
  readonly topic: string
  /** Make the topic if it is missing, instead of waiting for somebody to. */
  readonly createTopics?: boolean | undefined
  /** [0, 1): jitter of the pauses between attempts. */
  readonly random: () => number
}

export interface KafkaRequestSource extends RequestSource {
  /** Settles when every consumer has left its group, or has been given up after 5 s. */
  stopped(): Promise<void>
}

/** A consumer that lived so long was well: the next one is tried at once. */
const wellAfterMs = 60_000

/**
 * Requests from a Kafka topic. Rebuilds its consumer on whatever ends it, with growing pauses, and says in `health$`
 * and in the log, once per change, what it is waiting for.
 */
export const createRequestSource = (options: RequestSourceOptions): KafkaRequestSource => {
  const { kafka, topic, random } = options
  const health = new BehaviorSubject<SourceHealth>({ state: 'starting', reason: null })
  let closed: Promise<unknown> = Promise.resolve()

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
          report({ state: 'starting', reason: messageOf(error) })
          return timer(backOffMs(failures, random))
        },
      }),
    )

  const chunks: RequestSource['chunks'] = positions =>
    defer(() => {
      let failures = 0
      let wasAssigned = false
      let startedAt = 0
      return defer(() => {
        startedAt = Date.now()
        return consumerLife({
          ...{ kafka, topic, random, positions, groupId: options.groupId },
          createTopics: options.createTopics === true,
          before: closed,
          closing: leaving => {
            closed = Promise.all([closed, leaving])
          },
          health: next => {
            wasAssigned ||= next.state !== 'starting'
            report(next)
          },
        })
      }).pipe(
        retry({
          delay: error => {
            failures = Date.now() - startedAt > wellAfterMs ? 1 : failures + 1
            report({ state: wasAssigned ? 'failed' : 'starting', reason: `${topic}: ${messageOf(error)}` })
            return timer(backOffMs(failures, random))
          },
        }),
      )
    })

  return {
    clusterId,
    chunks,
    health$: health.asObservable(),
    stopped: async () => {
      await closed
    },
  }
}
