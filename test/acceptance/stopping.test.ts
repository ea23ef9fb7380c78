import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { startCli } from '../support/cli-process'
import { until } from '../support/until'

jest.setTimeout(60_000)

describe('the service, when it is stopped,', () => {
  let silent: Server
  const open: Socket[] = []

  afterEach(() => {
    for (const socket of open) socket.destroy()
    silent.close()
  })

  it('exits with 0 when it is asked a second time, whatever is under way', async () => {
    // The database accepts connections and never answers, so that stopping has something to wait for.
    silent = createServer(socket => open.push(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const address = silent.address()
    if (address === null || typeof address === 'string') throw new Error('it listens on a port')
    const service = startCli(['run'], {
      KAFKA_BROKERS: '127.0.0.1:1',
      DATABASE_URL: `postgres://nobody@127.0.0.1:${address.port}/none`,
      ALIBABA_CLOUD_ACCESS_KEY_ID: 'key',
      ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'secret',
      HTTP_PORT: '0',
    })
    await once(silent, 'connection')
    service.kill('SIGTERM')
    await service.line(line => line.includes('"stopping"'))
    let how: number | NodeJS.Signals | null = null
    service.ended.then(status => {
      how = status
    })
    await until(async () => {
      service.kill('SIGTERM')
      return how !== null
    })
    expect(how).toBe(0)
    // It has reported no end of the stop, neither in time nor late, because it was asked again.
    expect(service.stderr.some(line => line.includes('"stopped"'))).toBe(false)
  })
})
