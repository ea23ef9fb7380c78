/** Free ports for local servers. */
import { createServer } from 'node:net'
import { messageOf } from '../../domain/error-text'

/** A TCP port that was free on the loopback address a moment ago. Another process may still bind it first. */
const findFreePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      server.close(() => resolve(port))
    })
  })

/** Runs `start`, and again with other ports when another process has bound one of them first; five times at most. */
export const withFreePorts = async <T>(
  count: number,
  start: (ports: readonly number[]) => Promise<T>,
): Promise<T> => {
  const taken = /address already in use|port is already allocated|BindException/i
  for (let left = 4; ; left -= 1) {
    const ports = await Promise.all(Array.from({ length: count }, findFreePort))
    try {
      return await start(ports)
    } catch (error) {
      if (left === 0 || !taken.test(messageOf(error))) throw error
    }
  }
}
