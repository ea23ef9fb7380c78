import { Partitioners } from 'kafkajs'
import { firstValueFrom } from 'rxjs'
import { createKafka, type KafkaOptions } from '../../src/kafka/kafka-client'
import type { Outbox, OutboxLimits } from '../../src/ports/journal'
import { encodeForTest } from './kafka-sink'

export interface PlainPublisherOptions {
  readonly kafka: KafkaOptions
  readonly topic: string
  readonly outbox: Outbox
  readonly publisher: string
  readonly most: OutboxLimits
}

/**
 * Publishing as it would be without transactions: an idempotent producer, and the position kept in the database only.
 * It is measured beside the real one.
 */
export const publishPlainly = async ({
  kafka,
  topic,
  outbox,
  publisher,
  most,
}: PlainPublisherOptions): Promise<void> => {
  const producer = createKafka(kafka).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  for (;;) {
    const { published } = await firstValueFrom(outbox.position(publisher))
    const chunk = await firstValueFrom(outbox.next(published, most))
    if (chunk === null) break
    const messages = chunk.outcomes.map(outcome => {
      const { key, value, headers } = encodeForTest(outcome).result
      return { key: String(key), value: String(value), headers: { ce_id: String(headers.ce_id) } }
    })
    await producer.send({ topic, acks: -1, messages })
    await firstValueFrom(outbox.published(publisher, chunk.lastId))
  }
  await producer.disconnect()
}
