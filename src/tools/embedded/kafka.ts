/** A Kafka broker for `demo` and the tests, from wherever one can be had. */
import { messageOf } from '../../domain/error-text'
import { isDockerRunning, startDockerKafka } from './kafka-docker'
import { type StartedBroker, startJavaKafka } from './kafka-java'

export interface KafkaOptions {
  /** Brokers that run already (`KAFKA_BROKERS`). They are used and left running. */
  readonly brokers?: readonly string[]
  /** Gets the broker's own log, a line at a time. */
  readonly log?: (line: string) => void
}

export type Kafka =
  | {
      readonly kind: 'running'
      /** host:port */
      readonly brokers: readonly string[]
      readonly origin: 'environment' | 'docker' | 'java'
      /** Ends the broker and removes its data, if it is ours. */
      stop(): Promise<void>
    }
  | { readonly kind: 'unavailable'; readonly reason: string }

/**
 * A Kafka broker: the given ones, else one in a running Docker engine, else one on this machine's Java. It ends with this
 * process, however that ends. Never throws: where none can be had, the answer says why.
 */
export const startKafka = async (options: KafkaOptions = {}): Promise<Kafka> => {
  const { brokers = [], log } = options
  if (brokers.length > 0)
    return { kind: 'running', brokers, origin: 'environment', stop: async () => undefined }
  const reasons: string[] = []
  const attempt = async (
    origin: 'docker' | 'java',
    start: () => Promise<StartedBroker>,
  ): Promise<Kafka | null> => {
    try {
      return { kind: 'running', origin, ...(await start()) }
    } catch (error) {
      reasons.push(`${origin}: ${messageOf(error)}`)
      return null
    }
  }
  if (await isDockerRunning()) {
    const inDocker = await attempt('docker', () => startDockerKafka(log))
    if (inDocker !== null) return inDocker
  } else {
    reasons.push('docker: no engine is running')
  }
  return (
    (await attempt('java', () => startJavaKafka(log))) ?? { kind: 'unavailable', reason: reasons.join('\n') }
  )
}
