import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** up: from the client to the server. */
export type Direction = 'up' | 'down'

/** What becomes of some bytes. `last`: they still arrive, nothing after them does, and their sender is cut off. */
export type Passage = 'pass' | 'drop' | 'cut' | 'last'

export type Inspect = (bytes: Buffer, direction: Direction) => Passage

/**
 * A link on this machine that can fail. Each setting holds for open and new connections alike, from
 * now on until it is changed.
 */
export interface TcpProxy {
  /** Where clients connect, on 127.0.0.1. */
  readonly port: number
  /** New connections go to this port of 127.0.0.1. */
  target(port: number): void
  /** Bytes arrive so much later, in their order. 0: at once. */
  delay(ms: number): void
  /** Bytes and ends of connections vanish, and neither side notices. */
  swallow(which: Direction | 'both'): void
  /** New connections are reset at once. */
  refuse(): void
  /** Asks `look` about all bytes as they are read; null ends that. */
  inspect(look: Inspect | null): void
  /** Ends `delay`, `swallow`, `refuse` and `inspect`. Connections that lost bytes are reset, as they must be. */
  heal(): void
  /** Resets every connection on both sides; bytes under way are lost. Says how many there were. */
  cut(): number
  /** Every client is told that the server sends no more; what clients send still arrives. Says how many there were. */
  halfClose(): number
  readonly connections: number
  /** Pieces of any size that open connections lost, ends of connections included. */
  readonly dropped: number
  /** Cuts all connections and stops listening. */
  close(): Promise<void>
}

interface Faults {
  targetPort: number
  delayMs: number
  swallowed: Direction | 'both' | null
  isRefusing: boolean
  inspect: Inspect | null
}

interface Connection {
  /** How many pieces were dropped. A connection is useless after the first. */
  dropped(): number
  cut(): void
  halfClose(): void
}

/** Both ends of one connection, and the bytes on their way between them. */
const join = (client: Socket, server: Socket, faults: Faults, onEnd: () => void): Connection => {
  let dropped = 0
  let isOver = false
  const timers = new Set<NodeJS.Timeout>()
  const isSwallowed = (direction: Direction): boolean =>
    faults.swallowed === 'both' || faults.swallowed === direction

  const cut = (): void => {
    if (isOver) return
    isOver = true
    for (const timer of timers) clearTimeout(timer)
    client.resetAndDestroy()
    server.resetAndDestroy()
    onEnd()
  }

  const forward = (direction: Direction, from: Socket, to: Socket): void => {
    let lastDueAt = 0
    /** Runs in the order of the calls. */
    const later = (act: () => void): void => {
      const now = performance.now()
      const dueAt = Math.max(lastDueAt, now + faults.delayMs)
      lastDueAt = dueAt
      if (dueAt <= now) {
        act()
        return
      }
      const timer = setTimeout(() => {
        timers.delete(timer)
        act()
      }, dueAt - now)
      timers.add(timer)
    }
    from.on('data', (bytes: Buffer) => {
      const passage = isSwallowed(direction) ? 'drop' : (faults.inspect?.(bytes, direction) ?? 'pass')
      if (passage === 'cut') return cut()
      if (passage === 'drop') {
        dropped += 1
        return
      }
      later(() => {
        if (!to.writable) return
        if (passage === 'last') {
          to.end(bytes, () => cut())
          from.resetAndDestroy()
        } else if (!to.write(bytes)) {
          from.pause()
          to.once('drain', () => from.resume())
        }
      })
    })
    from.on('end', () => {
      if (isSwallowed(direction)) dropped += 1
      else later(() => to.end())
    })
    from.on('close', () => {
      if (isSwallowed(direction) || dropped > 0) dropped += 1
      // Bytes that are still under way arrive before the end does.
      else later(() => to.destroySoon())
      if (client.destroyed && server.destroyed) cut()
    })
    from.on('error', () => {
      // Its 'close' follows, which is handled.
    })
  }
  forward('up', client, server)
  forward('down', server, client)
  return { dropped: () => dropped, cut, halfClose: () => client.end() }
}

/** A proxy between clients on this machine and one port of it. */
export const startTcpProxy = async (targetPort: number, port = 0): Promise<TcpProxy> => {
  const healthy = { delayMs: 0, swallowed: null, isRefusing: false, inspect: null }
  const faults: Faults = { targetPort, ...healthy }
  const open = new Set<Connection>()
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    if (faults.isRefusing) {
      client.on('error', () => undefined).resetAndDestroy()
      return
    }
    const server = connect({ port: faults.targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const connection = join(client, server, faults, () => open.delete(connection))
    open.add(connection)
  })
  listener.listen(port, '127.0.0.1')
  await once(listener, 'listening')

  const each = (act: (connection: Connection) => void): number => {
    const all = [...open]
    for (const connection of all) act(connection)
    return all.length
  }
  return {
    port: (listener.address() as AddressInfo).port,
    target: to => {
      faults.targetPort = to
    },
    delay: ms => {
      faults.delayMs = ms
    },
    swallow: which => {
      faults.swallowed = which
    },
    refuse: () => {
      faults.isRefusing = true
    },
    inspect: look => {
      faults.inspect = look
    },
    heal: () => {
      Object.assign(faults, healthy)
      each(connection => {
        if (connection.dropped() > 0) connection.cut()
      })
    },
    cut: () => each(connection => connection.cut()),
    halfClose: () => each(connection => connection.halfClose()),
    get connections() {
      return open.size
    },
    get dropped() {
      return [...open].reduce((sum, connection) => sum + connection.dropped(), 0)
    },
    close: async () => {
      const closed = once(listener, 'close')
      listener.close()
      each(connection => connection.cut())
      await closed
    },
  }
}
