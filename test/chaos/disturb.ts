import { setTimeout as pause } from 'node:timers/promises'
import type { RestartableKafka } from '../support/restartable-kafka'
import type { RestartablePostgres } from '../support/restartable-postgres'
import type { TcpProxy } from '../support/tcp-proxy'
import type { Replicas } from './replicas'
import type { Disturbance, LinkName, Victim } from './schedule'

export interface Disturbed {
  readonly replicas: Replicas
  readonly replicaCount: number
  readonly kafka: RestartableKafka
  readonly postgres: RestartablePostgres
  /** One for each replica. */
  readonly links: readonly Readonly<Record<LinkName, TcpProxy>>[]
  readonly say: (text: string) => void
}

/** How often each disturbance was carried out. */
export interface Disturbances {
  kills: number
  freezes: number
  longestFreezeMs: number
  brokerRestarts: number
  brokerFreezes: number
  postgresRestarts: number
  cuts: number
  halfCloses: number
  delays: number
  swallows: number
}

/** Runs disturbances of one server or link one after the other: each ends before the next begins. */
const createLine = () => {
  let last: Promise<void> = Promise.resolve()
  return (act: () => Promise<void>): Promise<void> => {
    last = last.then(act, act)
    return last
  }
}

/** Carries out disturbances. Each resolves once it is over and what it disturbed works again. */
export const createDisturber = (disturbed: Disturbed) => {
  const { replicas, kafka, postgres, links, replicaCount } = disturbed
  const [broker, database] = [createLine(), createLine()]
  const linkLines = links.map(() => ({
    kafka: createLine(),
    postgres: createLine(),
    simulator: createLine(),
  }))
  const done: Disturbances = {
    kills: 0,
    freezes: 0,
    longestFreezeMs: 0,
    brokerRestarts: 0,
    brokerFreezes: 0,
    postgresRestarts: 0,
    cuts: 0,
    halfCloses: 0,
    delays: 0,
    swallows: 0,
  }

  /** The victim or, if that is down, another replica. Waits until one is up. */
  const choose = async (victim: Victim): Promise<number> => {
    for (;;) {
      const first = victim === 'driver' ? (replicas.driver() ?? 0) : victim
      const found = Array.from({ length: replicaCount }, (_, more) => (first + more) % replicaCount).find(
        replicas.isUp,
      )
      if (found !== undefined) return found
      await pause(100)
    }
  }

  const onLink = (index: number, link: LinkName, act: (proxy: TcpProxy) => Promise<void>): Promise<void> => {
    const [proxy, line] = [links[index]?.[link], linkLines[index]?.[link]]
    if (proxy === undefined || line === undefined) throw new Error(`no link ${link} of replica ${index}`)
    return line(() => act(proxy))
  }

  const lasting = async (proxy: TcpProxy, forMs: number): Promise<void> => {
    await pause(forMs)
    proxy.heal()
  }

  const disturbBroker = ({ how, forMs }: Extract<Disturbance, { kind: 'broker' }>): Promise<void> =>
    broker(async () => {
      if (how === 'freeze') {
        done.brokerFreezes += 1
        kafka.freeze()
        await pause(forMs)
        kafka.thaw()
        return
      }
      done.brokerRestarts += 1
      await kafka.halt(how)
      await pause(forMs)
      await kafka.start()
    })

  const disturbLink = async (
    disturbance: Extract<Disturbance, { link: LinkName }>,
    index: number,
  ): Promise<void> => {
    await onLink(index, disturbance.link, async proxy => {
      switch (disturbance.kind) {
        case 'cut':
          done.cuts += 1
          proxy.cut()
          return
        case 'half-close':
          done.halfCloses += 1
          proxy.halfClose()
          return
        case 'delay':
          done.delays += 1
          proxy.delay(disturbance.byMs)
          return lasting(proxy, disturbance.forMs)
        case 'swallow':
          done.swallows += 1
          proxy.swallow(disturbance.which)
          return lasting(proxy, disturbance.forMs)
      }
    })
  }

  const disturb = async (disturbance: Disturbance): Promise<void> => {
    if (disturbance.kind === 'broker') return disturbBroker(disturbance)
    if (disturbance.kind === 'postgres')
      return database(async () => {
        done.postgresRestarts += 1
        await postgres.halt(disturbance.how)
        await pause(disturbance.downMs)
        await postgres.start()
      })
    const index = await choose(disturbance.victim)
    disturbed.say(`  (replica ${index}${replicas.driver() === index ? ', the driver' : ''})`)
    switch (disturbance.kind) {
      case 'kill':
        done.kills += 1
        return replicas.kill(index, disturbance.downMs)
      case 'freeze':
        done.freezes += 1
        done.longestFreezeMs = Math.max(done.longestFreezeMs, disturbance.forMs)
        return replicas.freeze(index, disturbance.forMs)
      default:
        return disturbLink(disturbance, index)
    }
  }
  return { disturb, done: (): Readonly<Disturbances> => done }
}
