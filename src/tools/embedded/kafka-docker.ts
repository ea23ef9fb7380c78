/** A Kafka broker in Docker. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { startChildServer } from './child-server'
import { withFreePorts } from './free-port'
import { kafkaVersion } from './kafka-jars'
import { brokerSettings, newClusterId, type StartedBroker } from './kafka-java'
import { createParentWatch } from './parent-watch'

const run = promisify(execFile)
/** Longest wait for an answer of the Docker engine, ms. */
const answerWithinMs = 10_000
/** Longest start of a broker, ms. The image may have to be pulled. */
const readyWithinMs = 240_000

/** Whether a Docker engine answers. The client alone is not enough. */
export const isDockerRunning = (): Promise<boolean> =>
  run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: answerWithinMs }).then(
    () => true,
    () => false,
  )

/** The image reads `KAFKA_` variables in place of a properties file. */
const environmentOf = (port: number): string[] => {
  const settings = brokerSettings({
    address: '0.0.0.0',
    port,
    controllerPort: port === 9093 ? 9094 : 9093,
    dataDir: '/tmp/kafka-data',
  })
  const variables = Object.entries(settings).map(
    ([name, value]) => `KAFKA_${name.toUpperCase().replaceAll('.', '_')}=${value}`,
  )
  // Without an id of its own every container would belong to the same cluster.
  const more = [`CLUSTER_ID=${newClusterId(randomBytes(16))}`, 'KAFKA_HEAP_OPTS=-Xmx768m']
  return [...variables, ...more].flatMap(variable => ['--env', variable])
}

/**
 * A broker in a container that is removed when it stops. The Docker client stays in the foreground and passes signals on.
 * @throws EmbeddedServerError when the image cannot be had or the broker does not start
 */
export const startDockerKafka = async (log?: (line: string) => void): Promise<StartedBroker> => {
  const image = `apache/kafka:${await kafkaVersion()}`
  return withFreePorts(1, async ([port = 0]) => {
    const name = `device-move-kafka-${randomBytes(4).toString('hex')}`
    const watch = createParentWatch()
    const remove = async () => {
      await run('docker', ['rm', '--force', '--volumes', name], { timeout: answerWithinMs }).catch(
        () => undefined,
      )
      watch.done()
    }
    try {
      const server = await startChildServer({
        name: 'Kafka in Docker',
        command: 'docker',
        args: [
          'run',
          '--rm',
          '--name',
          name,
          '-p',
          `127.0.0.1:${port}:${port}`,
          ...environmentOf(port),
          image,
        ],
        cwd: '/',
        readyLine: /Kafka Server started/,
        readyWithinMs,
        stopSignal: 'SIGTERM',
        watch,
        log,
      })
      return { brokers: [`127.0.0.1:${port}`], stop: () => server.stop().finally(remove) }
    } catch (error) {
      await remove()
      throw error
    }
  })
}
