import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'
import { until } from '../support/until'

/** A server that sends back what it gets, and handles both ends of a connection apart. */
const startEcho = async (): Promise<{ server: Server; port: number; heard: Buffer[]; sockets: Socket[] }> => {
  const heard: Buffer[] = []
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.on('data', bytes => {
      heard.push(bytes)
      socket.write(bytes)
    })
    socket.on('end', () => socket.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port, heard, sockets }
}

describe('the proxy of the tests', () => {
  let echo: Awaited<ReturnType<typeof startEcho>>
  let proxy: TcpProxy
  let clients: Socket[]

  beforeEach(async () => {
    echo = await startEcho()
    proxy = await startTcpProxy(echo.port)
    clients = []
  })

  afterEach(async () => {
    // A socket that has read the other side's end does not notice a reset, and would stay open.
    for (const client of clients) client.destroy()
    await proxy.close()
    echo.server.close()
  })

  const open = async (): Promise<Socket> => {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
    clients.push(socket)
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }
  const ask = async (socket: Socket, text: string): Promise<string> => {
    const answer = once(socket, 'data')
    socket.write(text)
    return String((await answer)[0])
  }
  const brokenBy = async (socket: Socket): Promise<string> => {
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    return error.code ?? ''
  }

  it('hands on what it gets, large amounts and ends of connections too', async () => {
    const socket = await open()
    const sent = Buffer.alloc(8 << 20, 'abc')
    let got = 0
    socket.on('data', bytes => {
      got += bytes.length
    })
    socket.end(sent)
    await once(socket, 'end')
    expect(got).toBe(sent.length)
  })

  it('cuts a connection on both sides', async () => {
    const socket = await open()
    await ask(socket, 'hello')
    const [broken, lost] = [brokenBy(socket), echo.sockets.map(brokenBy)]
    expect(proxy.cut()).toBe(1)
    expect(await broken).toBe('ECONNRESET')
    expect(await Promise.all(lost)).toEqual(['ECONNRESET'])
    expect(await ask(await open(), 'again')).toBe('again')
  })

  it('delays bytes and keeps their order', async () => {
    const socket = await open()
    proxy.delay(150)
    const startedAt = performance.now()
    socket.write('a')
    proxy.delay(50)
    socket.write('b')
    socket.end('c')
    let got = ''
    socket.on('data', bytes => {
      got += String(bytes)
    })
    await once(socket, 'end')
    expect(got).toBe('abc')
    expect(performance.now() - startedAt).toBeGreaterThan(95)
  })

  it('swallows bytes in one direction, and resets what lost bytes when it heals', async () => {
    const [socket, other] = [await open(), await open()]
    await ask(other, 'idle')
    proxy.swallow('down')
    socket.write('heard')
    await until(async () => proxy.dropped > 0)
    expect(echo.heard.map(String)).toEqual(['idle', 'heard'])
    const lost = echo.sockets.slice(0, 1).map(brokenBy)
    const broken = brokenBy(socket)
    proxy.heal()
    expect(await broken).toBe('ECONNRESET')
    expect(await Promise.all(lost)).toEqual(['ECONNRESET'])
    expect(await ask(other, 'still there')).toBe('still there')
  })

  it('does not tell the server that a client has gone while it swallows', async () => {
    const socket = await open()
    await ask(socket, 'hello')
    proxy.swallow('both')
    socket.destroy()
    const fresh = await open()
    fresh.write('lost')
    expect(echo.sockets[0]?.destroyed).toBe(false)
    const lost = echo.sockets.slice(0, 1).map(brokenBy)
    await until(async () => proxy.dropped > 1)
    const broken = brokenBy(fresh)
    proxy.heal()
    expect(await Promise.all(lost)).toEqual(['ECONNRESET'])
    expect(await broken).toBe('ECONNRESET')
    expect(echo.heard.map(String)).toEqual(['hello'])
  })

  it('closes one half, so that the client hears the end and the server still hears the client', async () => {
    const socket = await open()
    await ask(socket, 'hello')
    const ended = once(socket, 'end')
    socket.resume()
    proxy.halfClose()
    await ended
    const heard = once(echo.sockets[0] ?? socket, 'data')
    socket.write('more')
    expect(String((await heard)[0])).toBe('more')
  })

  it('lets a certain request be the last that arrives', async () => {
    const socket = await open()
    proxy.inspect((bytes, direction) => (direction === 'up' && bytes.includes('commit') ? 'last' : 'pass'))
    expect(await ask(socket, 'begin')).toBe('begin')
    const broken = brokenBy(socket)
    socket.write('commit')
    expect(await broken).toBe('ECONNRESET')
    await until(async () => echo.heard.length === 2)
    expect(echo.heard.map(String)).toEqual(['begin', 'commit'])
  })

  it('refuses new connections, or sends them elsewhere, when told to', async () => {
    proxy.refuse()
    const refused = connect(proxy.port, '127.0.0.1')
    expect(await brokenBy(refused)).toBe('ECONNRESET')
    proxy.heal()
    const other = await startEcho()
    proxy.target(other.port)
    const socket = await open()
    expect(await ask(socket, 'hello')).toBe('hello')
    expect(other.heard.map(String)).toEqual(['hello'])
    socket.destroy()
    other.server.close()
  })
})
