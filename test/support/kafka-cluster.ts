import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChildServer } from '../../src/tools/embedded/child-server'
import { withFreePorts } from '../../src/tools/embedded/free-port'
import {
  brokerSettings,
  javaTools,
  newClusterId,
  prepareBroker,
  runBroker,
} from '../../src/tools/embedded/kafka-java'
import { createParentWatch } from '../../src/tools/embedded/parent-watch'

export interface KafkaCluster {
  /** Both brokers; the second one first, so that clients meet the one that may be away before the other. */
  readonly brokers: readonly string[]
  /** Kills the second broker. The first one, which is the controller, stays. */
  killSecond(): Promise<void>
  /** Starts it again on its data. */
  startSecond(): Promise<void>
  /** Ends both, with their data. */
  stop(): Promise<void>
}

/** What the cluster keeps for itself lies on both brokers, and one of them is enough. */
const replicated = {
  'offsets.topic.replication.factor': '2',
  'transaction.state.log.replication.factor': '2',
}

/** Two brokers on this machine's Java. The first one is the controller as well. */
export const startKafkaCluster = async (): Promise<KafkaCluster> => {
  const tools = await javaTools()
  return withFreePorts(3, async ([first = 0, second = 0, controllerPort = 0]) => {
    const home = await mkdtemp(join(tmpdir(), 'device-move-kafka-'))
    const watch = createParentWatch(home)
    const remove = async (): Promise<void> => {
      await rm(home, { recursive: true, force: true })
      watch.done()
    }
    const clusterId = newClusterId(randomBytes(16))
    const homeOf = (node: number): string => join(home, `${node}`)
    const prepare = async (node: number, port: number, more: Readonly<Record<string, string>>) => {
      await mkdir(homeOf(node))
      const dataDir = join(homeOf(node), 'data')
      const settings = brokerSettings({ address: '127.0.0.1', port, controllerPort, dataDir })
      await prepareBroker(tools, homeOf(node), { ...settings, ...replicated, ...more }, { clusterId })
    }
    const run = (node: number): Promise<ChildServer> =>
      runBroker(tools, homeOf(node), { stopSignal: 'SIGKILL', watch })
    try {
      await Promise.all([
        prepare(1, first, {}),
        prepare(2, second, {
          'process.roles': 'broker',
          'node.id': '2',
          listeners: `PLAINTEXT://127.0.0.1:${second}`,
        }),
      ])
      const controller = await run(1)
      let other = await run(2)
      return {
        brokers: [`127.0.0.1:${second}`, `127.0.0.1:${first}`],
        killSecond: () => other.stop(),
        startSecond: async () => {
          other = await run(2)
        },
        stop: async () => {
          await other.stop()
          await controller.stop()
          await remove()
        },
      }
    } catch (error) {
      await remove()
      throw error
    }
  })
}
