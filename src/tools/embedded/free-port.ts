import { createServer } from 'node:net'
import { reasonOf } from './embedded-server-error'

/** A TCP port free on the loopback address a moment ago; whoever binds it must still expect to be beaten to it. */
export const findFreePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      server.close(() => resolve(port))
    })
  })

/** Does `start` again with other ports when another process was quicker to bind one. */
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
      if (left === 0 || !taken.test(reasonOf(error))) throw error
    }
  }
}
