import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withFreePorts } from '../../src/tools/embedded/free-port'
import { brokerSettings, javaTools, prepareBroker, runBroker } from '../../src/tools/embedded/kafka-java'
import { createParentWatch } from '../../src/tools/embedded/parent-watch'
import { startTcpProxy, type TcpProxy } from './tcp-proxy'

export interface RestartableKafka {
  /** The broker itself, for clients that are not to be disturbed. */
  readonly brokers: readonly string[]
  /** Links to the broker. It tells a client that came by a link to go on using that link. */
  readonly links: readonly TcpProxy[]
  /** Whether its process is there. */
  isRunning(): boolean
  /** SIGKILL, or SIGTERM for an orderly end. */
  halt(how: 'kill' | 'stop'): Promise<void>
  /** On the same data and ports, after `halt`. */
  start(): Promise<void>
  /** SIGSTOP and SIGCONT. A frozen broker accepts connections and answers nothing. */
  freeze(): void
  thaw(): void
  /** Ends it, with its data. */
  stop(): Promise<void>
}

/** Adds a listener for each link to the plain one, advertised as the address of its proxy. */
const withLinks = (
  settings: Readonly<Record<string, string>>,
  links: readonly { readonly innerPort: number; readonly port: number }[],
): Record<string, string> => {
  const more = (name: string, entries: readonly string[]) => ({
    [name]: [settings[name] ?? '', ...entries].join(','),
  })
  return {
    ...settings,
    ...more(
      'listeners',
      links.map(({ innerPort }, at) => `LINK${at}://127.0.0.1:${innerPort}`),
    ),
    ...more(
      'advertised.listeners',
      links.map(({ port }, at) => `LINK${at}://127.0.0.1:${port}`),
    ),
    ...more(
      'listener.security.protocol.map',
      links.map((_, at) => `LINK${at}:PLAINTEXT`),
    ),
  }
}

/**
 * A broker on this machine's Java that can be killed and started again on its data, with links to it that can go
 * wrong apart from each other.
 * @throws EmbeddedServerError when Java, Maven or the network is missing
 */
export const startRestartableKafka = async (links: number, dataHome?: string): Promise<RestartableKafka> => {
  const tools = await javaTools()
  return withFreePorts(2 + links, async ([port = 0, controllerPort = 0, ...innerPorts]) => {
    const home = await mkdtemp(join(tmpdir(), 'device-move-kafka-'))
    const watch = createParentWatch(home)
    const proxies = await Promise.all(innerPorts.map(inner => startTcpProxy(inner)))
    const remove = async (): Promise<void> => {
      await Promise.all(proxies.map(proxy => proxy.close()))
      await rm(home, { recursive: true, force: true })
      watch.done()
    }
    const run = () => runBroker(tools, home, { stopSignal: 'SIGTERM', watch })
    try {
      const settings = brokerSettings({
        address: '127.0.0.1',
        port,
        controllerPort,
        dataDir: join(dataHome ?? home, 'data'),
      })
      const ends = proxies.map((proxy, at) => ({ innerPort: innerPorts[at] ?? 0, port: proxy.port }))
      await prepareBroker(tools, home, withLinks(settings, ends))
      let server = await run()
      return {
        brokers: [`127.0.0.1:${port}`],
        links: proxies,
        isRunning: () => {
          try {
            return process.kill(server.pid, 0)
          } catch {
            // There is no such process any more.
            return false
          }
        },
        halt: async how => {
          if (how === 'kill') process.kill(server.pid, 'SIGKILL')
          await server.stop()
        },
        start: async () => {
          server = await run()
        },
        freeze: () => process.kill(server.pid, 'SIGSTOP'),
        thaw: () => process.kill(server.pid, 'SIGCONT'),
        stop: async () => {
          await server.stop()
          await remove()
        },
      }
    } catch (error) {
      await remove()
      throw error
    }
  })
}
