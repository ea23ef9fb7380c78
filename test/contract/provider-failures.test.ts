import type { RequestListener, ServerResponse } from 'node:http'
import { firstValueFrom } from 'rxjs'
import { apiOn, json, keyPair, rawRoute as route } from '../support/raw-provider'
import { type RawServer, startRawServer } from '../support/raw-server'

const html = (response: ServerResponse, status: number) =>
  response.writeHead(status, { 'content-type': 'text/html' }).end('<html>Bad Gateway</html>')

describe('the adapter of the provider, when a call fails,', () => {
  let server: RawServer | undefined
  afterEach(() => server?.close())
  const serve = async (listener: RequestListener, callTimeoutMs?: number) => {
    server = await startRawServer(listener)
    return apiOn(server.url, callTimeoutMs)
  }

  const answers: readonly [string, RequestListener, string][] = [
    [
      'a business failure',
      (_, r) => json(r, 200, { Success: false, Code: 'iot.prod.X', ErrorMessage: 'm' }),
      'batch-refused',
    ],
    [
      'throttling inside a 200',
      (_, r) => json(r, 200, { Success: false, Code: 'Throttling.User' }),
      'throttled',
    ],
    ['throttling', (_, r) => json(r, 400, { Code: 'Throttling.User', Message: 'm' }), 'throttled'],
    ['a bare 429', (_, r) => json(r, 429, {}), 'throttled'],
    [
      'a refused signature',
      (_, r) => json(r, 403, { Code: 'SignatureDoesNotMatch', Message: 'm' }),
      'account-refused',
    ],
    [
      'an error in XML',
      (_, r) =>
        r
          .writeHead(403, { 'content-type': 'text/xml;charset=utf-8' })
          .end('<Error><Code>Forbidden.RAM</Code><Message>m</Message></Error>'),
      'account-refused',
    ],
    ['a code in no table', (_, r) => json(r, 400, { Code: 'Novel', Message: 'm' }), 'unknown'],
    ['503', (_, r) => json(r, 503, { Code: 'ServiceUnavailable', Message: 'm' }), 'unanswered'],
    ['502 with HTML', (_, r) => html(r, 502), 'unanswered'],
    ['200 with HTML', (_, r) => html(r, 200), 'unanswered'],
    ['an empty body', (_, r) => r.writeHead(200).end(), 'unanswered'],
    ['JSON that is no object', (_, r) => json(r, 200, null), 'unanswered'],
    ['neither success nor failure', (_, r) => json(r, 200, { JobId: 'j' }), 'unanswered'],
    ['success without a JobId', (_, r) => json(r, 200, { Success: true, JobId: '' }), 'unanswered'],
    ['a reset', request => request.socket.destroy(), 'unanswered'],
    [
      'a body that breaks off',
      (_, r) => r.writeHead(200, { 'content-length': 99 }).write('{"Succ', () => r.destroy()),
      'unanswered',
    ],
  ]
  it.each(answers)('classifies the answer: %s', async (_, listener, kind) => {
    const api = await serve(listener)
    const refused = await firstValueFrom(api.create(route, ['meter-0001']))
    expect(refused).toEqual({
      ok: false,
      kind,
      code: expect.stringMatching(/./),
      message: expect.stringMatching(/./),
    })
    expect(server?.requests).toHaveLength(1)
  })

  it.each([
    ['never answers', () => undefined],
    [
      'stops after the headers',
      (_: unknown, r: ServerResponse) => r.writeHead(200, { 'content-length': 99 }).flushHeaders(),
    ],
  ] as const)('gives up at the deadline on a provider that %s', async (_, listener) => {
    const api = await serve(listener, 200)
    expect(await firstValueFrom(api.create(route, ['meter-0001']))).toMatchObject({
      ok: false,
      kind: 'unanswered',
    })
  })

  it('knows that nothing was sent where nobody listens', async () => {
    const api = await serve(() => undefined)
    await server?.close()
    server = undefined
    expect(await firstValueFrom(api.create(route, ['meter-0001']))).toMatchObject({
      ok: false,
      kind: 'not-sent',
      code: 'ECONNREFUSED',
    })
  })

  it('hands on no secret that an answer repeats', async () => {
    const api = await serve((request, response) =>
      json(response, 400, {
        Code: 'SignatureDoesNotMatch',
        Message: `key ${keyPair.accessKeyId}, secret ${keyPair.accessKeySecret}, ${request.headers.authorization}\r\nhttps://h.example/?Signature=abc`,
      }),
    )
    const refused = await firstValueFrom(api.list({}))
    expect(refused).toMatchObject({ ok: false, kind: 'account-refused' })
    expect(JSON.stringify(refused)).not.toMatch(/LTAI5t|n0t\/|[0-9a-f]{40}|Signature=[^*]|\\r/)
  })
})
