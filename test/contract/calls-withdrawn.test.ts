import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { firstValueFrom } from 'rxjs'
import { apiOn, rawRoute as route } from '../support/raw-provider'

const names = Array.from({ length: 2_000 }, (_, index) => `meter-${String(index).padStart(8, '0')}`)
const success = '{"Success":true,"JobId":"job-1","Data":{"JobList":[]}}'

/** A server that keeps every byte it gets, and answers a call when it is told to. */
const startRecorder = async () => {
  const received: Buffer[] = []
  const sockets: Socket[] = []
  const server: Server = createServer(socket => {
    sockets.push(socket)
    socket.on('data', bytes => received.push(bytes))
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bytes = () => Buffer.concat(received)
  return {
    url: (scheme: string) => `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** The bytes of the body that have arrived, and how many the call has announced. */
    body: () => {
      const [head = '', ...rest] = bytes().toString('latin1').split('\r\n\r\n')
      return { came: rest.join('\r\n\r\n').length, said: Number(/content-length: (\d+)/i.exec(head)?.[1]) }
    },
    answer: () =>
      sockets[0]?.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${success.length}\r\n\r\n${success}`,
      ),
    connected: async () => {
      if (sockets.length === 0) await once(server, 'connection')
    },
    broken: async () => {
      for (const socket of sockets) if (!socket.destroyed) await once(socket, 'close')
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('a call that may not be sent any longer', () => {
  let recorder: Awaited<ReturnType<typeof startRecorder>>

  beforeEach(async () => {
    recorder = await startRecorder()
  })
  afterEach(() => recorder.close())

  it('never leaves when the lease is lost while it is signed and connected', async () => {
    const api = apiOn(recorder.url('http'), 10_000, () => false)
    const result = await firstValueFrom(api.create(route, names))
    expect(result).toMatchObject({ ok: false, kind: 'not-sent', code: 'withdrawn' })
    await recorder.broken()
    expect(recorder.body().came).toBe(0)
  })

  it('stays without its last byte when the lease is lost while it is being written', async () => {
    let looks = 0
    const api = apiOn(recorder.url('http'), 10_000, () => {
      looks += 1
      return looks === 1
    })
    const result = await firstValueFrom(api.create(route, names))
    expect(result).toMatchObject({ ok: false, kind: 'not-sent' })
    await recorder.broken()
    const { came, said } = recorder.body()
    expect(said).toBeGreaterThan(20_000)
    expect(came).toBeLessThan(said)
  })

  it('leaves when it may, with its last byte after all others', async () => {
    const came: number[] = []
    const api = apiOn(recorder.url('http'), 10_000, () => {
      came.push(recorder.body().came)
      return true
    })
    const answered = firstValueFrom(api.create(route, names))
    const { said } = await new Promise<{ said: number }>(resolve => {
      const look = setInterval(() => {
        const body = recorder.body()
        if (body.came !== body.said) return
        clearInterval(look)
        resolve(body)
      }, 5)
    })
    recorder.answer()
    expect(await answered).toMatchObject({ ok: true, value: { providerJobId: 'job-1' } })
    expect(came).toHaveLength(2)
    for (const bytes of came) expect(bytes).toBeLessThan(said)
  })

  it('is taken back by whoever unsubscribes before it has left', async () => {
    let asked = 0
    const api = apiOn(recorder.url('https'), 10_000, () => {
      asked += 1
      return true
    })
    // No handshake is answered, so the signed call waits.
    const subscription = api.create(route, names).subscribe()
    await recorder.connected()
    subscription.unsubscribe()
    await recorder.broken()
    expect(asked).toBe(0)
  })

  it('has certainly not run when its deadline comes before it could leave', async () => {
    const api = apiOn(recorder.url('https'), 200)
    expect(await firstValueFrom(api.create(route, names))).toMatchObject({
      ok: false,
      kind: 'not-sent',
      code: 'deadline',
    })
  })

  it('may have run when its deadline comes afterwards', async () => {
    const api = apiOn(recorder.url('http'), 1_000)
    expect(await firstValueFrom(api.create(route, names))).toMatchObject({ ok: false, kind: 'unanswered' })
  })

  it('may have run when it breaks off afterwards', async () => {
    const api = apiOn(recorder.url('http'))
    const answered = firstValueFrom(api.list({}))
    await recorder.connected()
    await new Promise<void>(resolve => {
      const look = setInterval(() => {
        if (Number.isNaN(recorder.body().said)) return
        clearInterval(look)
        resolve()
      }, 5)
    })
    await recorder.close()
    expect(await answered).toMatchObject({ ok: false, kind: 'unanswered' })
    recorder = await startRecorder()
  })
})
