import { reasonOf } from './embedded-server-error'
import { isDockerRunning, startDockerKafka } from './kafka-docker'
import { type StartedBroker, startJavaKafka } from './kafka-java'

export interface KafkaOptions {
  /** Brokers that are there already (`KAFKA_BROKERS`): used, and left running. */
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
      /** Ends the broker, if it is ours, with its data. */
      stop(): Promise<void>
    }
  | { readonly kind: 'unavailable'; readonly reason: string }

/**
 * A Kafka broker: the given ones, else one in a running Docker engine, else one on this machine's Java. It ends with
 * this process, however that ends. Never throws: without any of them it says why.
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
      reasons.push(`${origin}: ${reasonOf(error)}`)
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
