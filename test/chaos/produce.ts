import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../src/domain/error-text'
import { createRequestProducer } from '../../src/kafka/publisher/request-producer'
import { type FleetRecord, isSentTwice } from './fleet'

export interface ProduceOptions {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly seed: number
  /** Over how long they are spread, ms. */
  readonly forMs: number
  /** How many records are sent, second ones included. */
  readonly total: number
  readonly say: (text: string) => void
}

const chunkSize = 500
const againAfterMs = 500

/**
 * Sends all records in their order at an even pace, and some of them a second time later. It sends a record again when it
 * cannot be sure that it arrived, as any producer does. Resolves with how many records were sent, second ones included.
 */
export const produce = async (records: Iterable<FleetRecord>, options: ProduceOptions): Promise<number> => {
  const { brokers, topic, forMs, total, say } = options
  const twice = isSentTwice(options.seed)
  const producer = createRequestProducer({
    kafka: { brokers, clientId: 'chaos-producer', log: () => undefined },
    topic,
  })
  let [sent, first] = [0, 0]

  const send = async (chunk: readonly FleetRecord[]): Promise<void> => {
    for (;;) {
      try {
        await producer.send(chunk.map(({ key, value }) => ({ key, value, headers: {} })))
        sent += chunk.length
        return
      } catch (error) {
        say(`producer: ${messageOf(error)}; sending again`)
        await pause(againAfterMs)
      }
    }
  }

  const startedAt = performance.now()
  let chunk: FleetRecord[] = []
  let again: FleetRecord[] = []
  const flush = async (): Promise<void> => {
    const repeats = again
    again = chunk.filter(twice)
    await send([...chunk, ...repeats])
    first += chunk.length
    chunk = []
    const dueAt = startedAt + (first / total) * forMs
    if (performance.now() < dueAt) await pause(dueAt - performance.now())
  }
  for (const record of records) {
    chunk.push(record)
    if (chunk.length >= chunkSize) await flush()
  }
  await flush()
  await flush()
  await producer.stop()
  return sent
}
