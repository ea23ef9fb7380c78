/** A Kafka broker on this machine's Java. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type ChildServer, type ChildServerOptions, startChildServer } from './child-server'
import { withFreePorts } from './free-port'
import { findJava, kafkaJars, kafkaSettings } from './kafka-jars'
import { createParentWatch } from './parent-watch'

/** Where a single broker, which is its own controller, listens and keeps its data. */
export interface BrokerPlace {
  /** The address it binds. Clients are always told the loopback address. */
  readonly address: '127.0.0.1' | '0.0.0.0'
  readonly port: number
  readonly controllerPort: number
  readonly dataDir: string
}

/** Settings for a single node: nothing is replicated, and a broker that was killed is back within seconds. */
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
  // The broker would delete records that claim to be older than a week, within five minutes.
  'log.retention.ms': '-1',
  'auto.create.topics.enable': 'false',
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'log.cleaner.dedupe.buffer.size': '8388608',
  'num.network.threads': '2',
  'num.io.threads': '4',
  'background.threads': '2',
})

/** The settings as the text of a properties file. */
const asProperties = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')

/** The id of a new cluster: 16 random bytes in base64url. Kafka refuses a leading dash. */
export const newClusterId = (random: Uint8Array): string =>
  Buffer.from(random).toString('base64url').replace(/^-/, 'A')

const run = promisify(execFile)
/** Longest start of a broker, ms. */
const readyWithinMs = 90_000
/** Options for JVMs that run for a short time only. */
const frugal = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  '-Xshare:auto',
  '-Djava.awt.headless=true',
]
const environment = { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' }

export interface StartedBroker {
  readonly brokers: readonly string[]
  stop(): Promise<void>
}

type Log = ((line: string) => void) | undefined

export interface JavaTools {
  readonly java: string
  /** Directory of the broker's jars. */
  readonly libs: string
}

/** @throws EmbeddedServerError when Java, Maven or the network is missing */
export const javaTools = async (): Promise<JavaTools> => ({ java: await findJava(), libs: await kafkaJars() })

/** The class path is relative, so that no character of the jars' path can break it. */
const javaArguments = (home: string, heap: string, ...rest: readonly string[]): string[] => [
  heap,
  ...frugal,
  `-Djava.io.tmpdir=${home}`,
  `-Dlog4j2.configurationFile=${pathToFileURL(join(kafkaSettings, 'log4j2.properties'))}`,
  '-cp',
  '*',
  ...rest,
]

const propertiesIn = (home: string): string => join(home, 'server.properties')

export interface StorageFormat {
  /** Brokers of one cluster share it. Default: a new one. */
  readonly clusterId?: string
  /** More arguments of Kafka's storage tool, such as the users of SCRAM. */
  readonly more?: readonly string[]
}

/** Writes the broker's settings into its home and makes an empty storage for them. */
export const prepareBroker = async (
  { java, libs }: JavaTools,
  home: string,
  settings: Readonly<Record<string, string>>,
  { clusterId = newClusterId(randomBytes(16)), more = [] }: StorageFormat = {},
): Promise<void> => {
  await writeFile(propertiesIn(home), asProperties(settings))
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', propertiesIn(home), ...more]
  await run(java, javaArguments(home, '-Xmx128m', ...format), { cwd: libs, env: environment })
}

/** Starts the broker of a prepared home; also again after it was stopped or killed. */
export const runBroker = (
  { java, libs }: JavaTools,
  home: string,
  options: Pick<ChildServerOptions, 'stopSignal' | 'watch' | 'log'>,
): Promise<ChildServer> =>
  startChildServer({
    name: 'Kafka',
    command: java,
    args: javaArguments(home, '-Xmx768m', 'kafka.Kafka', propertiesIn(home)),
    cwd: libs,
    env: environment,
    readyLine: /Kafka Server started/,
    readyWithinMs,
    ...options,
  })

const serve = async (tools: JavaTools, ports: readonly number[], log: Log): Promise<StartedBroker> => {
  const home = await mkdtemp(join(tmpdir(), 'device-move-kafka-'))
  const watch = createParentWatch(home)
  const [port = 0, controllerPort = 0] = ports
  try {
    const place: BrokerPlace = { address: '127.0.0.1', port, controllerPort, dataDir: join(home, 'data') }
    await prepareBroker(tools, home, brokerSettings(place))
    // None of its data is kept, so it is killed without waiting for an orderly end.
    const server = await runBroker(tools, home, { stopSignal: 'SIGKILL', watch, log })
    return {
      brokers: [`127.0.0.1:${port}`],
      stop: async () => {
        await server.stop()
        await rm(home, { recursive: true, force: true })
        watch.done()
      },
    }
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    watch.done()
    throw error
  }
}

/**
 * A broker on this machine's Java, with temporary data. It ends with this process, however that ends.
 * @throws EmbeddedServerError when Java, Maven or the network is missing
 */
export const startJavaKafka = async (log: Log): Promise<StartedBroker> => {
  const tools = await javaTools()
  return withFreePorts(2, ports => serve(tools, ports, log))
}
