import { type Observable, of } from 'rxjs'
import { type PublishDeps, publish$ } from '../../src/flows/publish'
import {
  createOutcomeSink,
  type KafkaOutcomeSink,
  type OutcomeSinkOptions,
} from '../../src/kafka/publisher/kafka-outcome-sink'
import type { EncodeOutcome } from '../../src/kafka/publisher/outcome-writer'
import { testKafkaOptions } from './kafka-source'

/** The encoding is small and plain; the real one is tested with the domain. */
export const encodeForTest: EncodeOutcome = outcome => {
  const key = `${outcome.productKey}/${outcome.deviceName}`
  return {
    result: {
      key,
      value: JSON.stringify({ id: outcome.id, message: outcome.message }),
      headers: { ce_id: outcome.id },
    },
    deadLetter:
      outcome.deadLetter === null
        ? null
        : { key, value: outcome.deadLetter, headers: { 'error-code': outcome.code } },
  }
}

export interface SinkTopics {
  readonly results: string
  readonly deadLetters: string
}

/** The real sink on the test broker; the transactional id is named after the topic. */
export const testSink = (topics: SinkTopics, more: Partial<OutcomeSinkOptions> = {}): KafkaOutcomeSink =>
  createOutcomeSink({
    kafka: testKafkaOptions(),
    transactionalId: `${topics.results}.publisher`,
    resultsTopic: topics.results,
    deadLetterTopic: topics.deadLetters,
    encode: encodeForTest,
    ...more,
  })

/** The publishing flow until the outbox is empty. */
export const publishUntilEmpty = (
  flow: Pick<PublishDeps, 'sink' | 'outbox' | 'publisher' | 'most'>,
): Observable<never> =>
  publish$({ ...flow, changes$: of(undefined), observe: () => undefined, drain$: of('now') })
