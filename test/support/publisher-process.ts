/** A publisher as a process of its own, to be killed and frozen: publishes what is in the outbox, and ends. */
import { lastValueFrom } from 'rxjs'
import { messageOf } from '../../src/domain/error-text'
import { createOutcomeSink } from '../../src/kafka/publisher/kafka-outcome-sink'
import { createOutbox } from '../../src/postgres/outbox/outbox'
import { createPool } from '../../src/postgres/session/session'
import { encodeForTest, publishUntilEmpty } from './kafka-sink'
import { publishPlainly } from './plain-publisher'
import type { PublisherOptions } from './publishers'

const run = async ({
  brokers,
  databaseUrl,
  topics,
  publisher,
  most,
  how,
}: PublisherOptions): Promise<void> => {
  const pool = createPool(databaseUrl, { max: 2, onError: () => undefined })
  const outbox = createOutbox(pool)
  const kafka = { brokers, clientId: 'publisher', log: () => undefined }
  if (how === 'plain') {
    await publishPlainly({ kafka, topic: topics.results, outbox, publisher, most })
  } else {
    const sink = createOutcomeSink({
      kafka,
      transactionalId: publisher,
      encode: encodeForTest,
      resultsTopic: topics.results,
      deadLetterTopic: topics.deadLetters,
    })
    const flow$ = publishUntilEmpty({ sink, outbox, publisher, most })
    await lastValueFrom(flow$, { defaultValue: null })
  }
}

run(JSON.parse(process.argv[2] ?? '{}') as PublisherOptions).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`)
    process.exit(1)
  },
)
