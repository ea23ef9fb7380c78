/** Where a single broker, which is its own controller, listens and keeps its data. */
export interface BrokerPlace {
  /** The address it binds; clients are always told the loopback address. */
  readonly address: '127.0.0.1' | '0.0.0.0'
  readonly port: number
  readonly controllerPort: number
  readonly dataDir: string
}

/** Broker settings for one node: nothing is replicated, and a broker that was killed is back within seconds. */
export const brokerSettings = (place: BrokerPlace): Readonly<Record<string, string>> => ({
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': `1@127.0.0.1:${place.controllerPort}`,
  listeners: `PLAINTEXT://${place.address}:${place.port},CONTROLLER://127.0.0.1:${place.controllerPort}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${place.port}`,
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'log.dirs': place.dataDir,
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  'auto.create.topics.enable': 'false',
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'log.cleaner.dedupe.buffer.size': '8388608',
  'num.network.threads': '2',
  'num.io.threads': '4',
  'background.threads': '2',
})

/** The settings as the text of a properties file. */
export const asProperties = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')

/** A new cluster's id: 16 random bytes in base64url, as Kafka has it (it dislikes a leading dash). */
export const newClusterId = (random: Uint8Array): string =>
  Buffer.from(random).toString('base64url').replace(/^-/, 'A')
