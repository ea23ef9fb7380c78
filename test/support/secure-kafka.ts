import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withFreePorts } from '../../src/tools/embedded/free-port'
import { brokerSettings, javaTools, prepareBroker, runBroker } from '../../src/tools/embedded/kafka-java'
import { createParentWatch } from '../../src/tools/embedded/parent-watch'
import type { Authority } from './certificates'

/** `mutual` asks for a certificate, `plain` and `scram` for a user; `expired` and `elsewhere` show bad certificates. */
const listeners = ['tls', 'mutual', 'plain', 'scram', 'expired', 'elsewhere'] as const
export type SecureListener = (typeof listeners)[number]

export interface SecureKafka {
  /** The listener without TLS, for what a test does besides. */
  readonly brokers: readonly string[]
  readonly address: Readonly<Record<SecureListener, string>>
  stop(): Promise<void>
}

/** The user of every mechanism. */
export const kafkaUser = { name: 'mover', password: 'a-password-of-the-broker' }

const login = (module: string, more = ''): string =>
  `org.apache.kafka.common.security.${module} required ${more};`

/** One broker with a listener for each way to connect to it. */
export const startSecureKafka = async (authority: Authority): Promise<SecureKafka> => {
  const tools = await javaTools()
  const good = (await authority.issue('broker', 'IP:127.0.0.1')).both
  const keystores: Partial<Record<SecureListener, string>> = {
    expired: (await authority.issue('expired', 'IP:127.0.0.1', -1)).both,
    elsewhere: (await authority.issue('elsewhere', 'DNS:elsewhere.invalid')).both,
  }
  return withFreePorts(2 + listeners.length, async ([port = 0, controllerPort = 0, ...ports]) => {
    const home = await mkdtemp(join(tmpdir(), 'device-move-kafka-'))
    const watch = createParentWatch(home)
    const remove = async (): Promise<void> => {
      await rm(home, { recursive: true, force: true })
      watch.done()
    }
    const addresses = listeners.map((_, at) => `127.0.0.1:${ports[at]}`)
    const settings = brokerSettings({
      address: '127.0.0.1',
      port,
      controllerPort,
      dataDir: join(home, 'data'),
    })
    const more = (name: string, entries: readonly string[]) => ({
      [name]: [settings[name] ?? '', ...entries].join(','),
    })
    const onEach = Object.fromEntries(
      listeners.flatMap(name => [
        [`listener.name.${name}.ssl.keystore.type`, 'PEM'],
        [`listener.name.${name}.ssl.keystore.location`, keystores[name] ?? good],
        [`listener.name.${name}.ssl.truststore.type`, 'PEM'],
        [`listener.name.${name}.ssl.truststore.location`, authority.ca],
      ]),
    )
    const secure = {
      ...settings,
      ...more(
        'listeners',
        listeners.map((name, at) => `${name.toUpperCase()}://${addresses[at]}`),
      ),
      ...more(
        'advertised.listeners',
        listeners.map((name, at) => `${name.toUpperCase()}://${addresses[at]}`),
      ),
      ...more(
        'listener.security.protocol.map',
        listeners.map(
          name => `${name.toUpperCase()}:${name === 'plain' || name === 'scram' ? 'SASL_SSL' : 'SSL'}`,
        ),
      ),
      ...onEach,
      'listener.name.mutual.ssl.client.auth': 'required',
      'listener.name.plain.sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.plain.plain.sasl.jaas.config': login(
        'plain.PlainLoginModule',
        `user_${kafkaUser.name}="${kafkaUser.password}"`,
      ),
      'listener.name.scram.sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.scram.scram-sha-256.sasl.jaas.config': login('scram.ScramLoginModule'),
      'listener.name.scram.scram-sha-512.sasl.jaas.config': login('scram.ScramLoginModule'),
    }
    const scramUsers = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(mechanism => [
      '--add-scram',
      `${mechanism}=[name=${kafkaUser.name},password=${kafkaUser.password}]`,
    ])
    try {
      await prepareBroker(tools, home, secure, { more: scramUsers })
      const server = await runBroker(tools, home, { stopSignal: 'SIGKILL', watch })
      return {
        brokers: [`127.0.0.1:${port}`],
        address: Object.fromEntries(listeners.map((name, at) => [name, addresses[at] ?? ''])) as Record<
          SecureListener,
          string
        >,
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
