import type { RequestListener } from 'node:http'
import { createGzip, gzipSync } from 'node:zlib'
import { firstValueFrom, toArray } from 'rxjs'
import { createHostCheck } from '../../src/iot/results/allowed-host'
import { type FetchFileOptions, fetchResultFile } from '../../src/iot/results/fetch-result-file'
import { type RawServer, startRawServer } from '../support/raw-server'

const check = createHostCheck(['127.0.0.1'])
const text = '[{"DeviceName":"meter-0001","Code":200}]'

describe('downloading result files', () => {
  let server: RawServer | undefined
  afterEach(() => server?.close())
  const fetchFrom = async (listener: RequestListener, options: Partial<FetchFileOptions> = {}) => {
    server = await startRawServer(listener)
    return firstValueFrom(
      fetchResultFile(`${server.url}/file?Signature=secret`, { check, ...options }).pipe(toArray()),
    )
  }

  it('keeps the file as received', async () => {
    const fetched = await fetchFrom((_, response) =>
      response.writeHead(200, { 'content-type': 'text/csv' }).end(text),
    )
    expect(fetched).toEqual([{ kind: 'file', file: { body: Buffer.from(text), contentType: 'text/csv' } }])
  })

  it('decodes the file', async () => {
    const fetched = await fetchFrom((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text)),
    )
    expect(fetched).toEqual([{ kind: 'file', file: { body: Buffer.from(text), contentType: null } }])
  })

  it('stops at the cap, counted after decoding', async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000, 'x'))
    const fetched = await fetchFrom(
      (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
      { maxBytes: 1_000 },
    )
    expect(bomb.byteLength).toBeLessThan(10_000)
    expect(fetched).toEqual([
      {
        kind: 'unreadable',
        message: 'larger than 1000 bytes',
        file: { body: Buffer.alloc(1_000, 'x'), contentType: null },
      },
    ])
  })

  it('takes no more than the cap from a compressed file that never ends', async () => {
    let written = 0
    const fetched = await fetchFrom(
      (_, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' })
        const zip = createGzip()
        const zeros = Buffer.alloc(1_000_000)
        response.on('close', () => zip.destroy())
        zip.on('error', () => undefined).pipe(response)
        const more = (): void => {
          written += zeros.byteLength
          zip.write(zeros, error => (error ? undefined : more()))
        }
        more()
      },
      { maxBytes: 5_000_000 },
    )
    expect(fetched).toMatchObject([{ kind: 'unreadable', message: 'larger than 5000000 bytes' }])
    expect(written).toBeGreaterThan(5_000_000)
  })

  it.each(['gzip, gzip', 'gzip,br', 'br', 'compress', 'constructor'])(
    'reads no body with content-encoding %s',
    async encoding => {
      const fetched = await fetchFrom((_, response) =>
        response.writeHead(200, { 'content-encoding': encoding }).end(gzipSync(gzipSync(text))),
      )
      expect(fetched).toEqual([
        { kind: 'unreadable', message: `content-encoding ${encoding} is not read`, file: null },
      ])
    },
  )

  it('connects to the address that was checked, even when the name has another one later', async () => {
    const asked: string[] = []
    const fetched = await fetchFrom((request, response) => response.end(request.headers.host), {
      check: url => ({ url: new URL(url.replace('127.0.0.1', 'localhost')) }),
      resolve: async hostname => {
        asked.push(hostname)
        // A second look-up of the name would give an address at which nothing listens.
        return [{ address: asked.length === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }]
      },
    })
    expect(asked).toEqual(['localhost'])
    expect(fetched).toMatchObject([{ kind: 'file' }])
  })

  it.each(['10.0.0.1', '127.0.0.1', '169.254.169.254', '100.100.100.200', '::1'])(
    'asks nobody when an allowed name stands for %s',
    async address => {
      const fetched = await fetchFrom((_, response) => response.end(text), {
        check: url => ({ url: new URL(url.replace('127.0.0.1', 'a.aliyuncs.com')) }),
        resolve: async () => [{ address, family: address.includes(':') ? 6 : 4 }],
      })
      expect(fetched).toEqual([
        {
          kind: 'unreadable',
          message: expect.stringContaining(`a.aliyuncs.com stands for ${address}`),
          file: null,
        },
      ])
      expect(server?.requests).toEqual([])
    },
  )

  it('reports an unknown host name', async () => {
    const fetched = await fetchFrom((_, response) => response.end(text), {
      resolve: () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })),
    })
    expect(fetched).toEqual([{ kind: 'unreachable', message: 'ENOTFOUND' }])
  })

  it('gives up at the deadline on a resolver that never answers', async () => {
    const fetched = await fetchFrom((_, response) => response.end(text), {
      resolve: () => new Promise(() => undefined),
      deadlineMs: 100,
    })
    expect(fetched).toEqual([{ kind: 'unreachable', message: 'not complete within 100 ms' }])
  })

  it.each([
    ['before the head', () => undefined],
    ['in the body', (_: unknown, r: { write(text: string): unknown }) => r.write('[')],
  ] as const)('gives up on a server that falls silent %s', async (_, listener) => {
    const fetched = await fetchFrom(listener, { idleMs: 100 })
    expect(fetched).toEqual([{ kind: 'unreachable', message: 'silent for 100 ms' }])
  })

  it('accepts a file of exactly the cap', async () => {
    const fetched = await fetchFrom((_, response) => response.end(text), { maxBytes: text.length })
    expect(fetched).toMatchObject([{ kind: 'file' }])
  })

  const cases: readonly [string, RequestListener, string][] = [
    ['403, said in a header', (_, r) => r.writeHead(403, { 'x-oss-ec': '0002-00000069' }).end(), 'expired'],
    [
      '403, said in XML',
      (_, r) => r.writeHead(403).end('<Error><Message>Request has expired.</Message></Error>'),
      'expired',
    ],
    [
      '403, its code in XML',
      (_, r) => r.writeHead(403).end('<Error><EC>0002-00000069</EC></Error>'),
      'expired',
    ],
    [
      '403 for another reason',
      (_, r) => r.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>'),
      'unreadable',
    ],
    ['404', (_, r) => r.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>'), 'unreadable'],
    ['204', (_, r) => r.writeHead(204).end(), 'unreadable'],
    ['429', (_, r) => r.writeHead(429).end(), 'unreachable'],
    ['500', (_, r) => r.writeHead(500).end(), 'unreachable'],
    ['503', (_, r) => r.writeHead(503).end('<Error/>'), 'unreachable'],
    ['a reset', request => request.socket.destroy(), 'unreachable'],
    [
      'a body that breaks off',
      (_, r) => r.writeHead(200, { 'content-length': 99 }).write('[{"De', () => r.destroy()),
      'unreachable',
    ],
    [
      'gzip that is none',
      (_, r) => r.writeHead(200, { 'content-encoding': 'gzip' }).end('plain'),
      'unreadable',
    ],
  ]
  it.each(cases)('%s', async (_, listener, kind) => {
    const fetched = await fetchFrom(listener)
    expect(fetched).toEqual([expect.objectContaining({ kind })])
    expect(JSON.stringify(fetched)).not.toContain('secret')
  })

  it('follows no redirect', async () => {
    const fetched = await fetchFrom((request, response) =>
      request.url === '/elsewhere'
        ? response.end(text)
        : response.writeHead(302, { location: '/elsewhere' }).end(),
    )
    expect(fetched).toMatchObject([{ kind: 'unreadable', message: expect.stringContaining('redirect') }])
    expect(server?.requests).toEqual(['GET /file?Signature=secret'])
  })

  it.each([
    ['never answers', () => undefined],
    ['drips', (_: unknown, r: { write(text: string): unknown }) => r.write('[')],
  ] as const)('gives up at the deadline on a server that %s', async (_, listener) => {
    const fetched = await fetchFrom(listener, { deadlineMs: 100 })
    expect(fetched).toEqual([{ kind: 'unreachable', message: 'not complete within 100 ms' }])
  })

  it('sends nothing to a host that is not listed', async () => {
    const fetched = await fetchFrom((_, response) => response.end(text), {
      check: createHostCheck(['*.aliyuncs.com']),
    })
    expect(fetched).toEqual([
      { kind: 'unreadable', message: expect.stringContaining('not among the hosts'), file: null },
    ])
    expect(server?.requests).toEqual([])
  })

  it('closes the connection when it is unsubscribed', async () => {
    const hungUp = new Promise<void>(resolve => {
      startRawServer((_, response) => {
        response.on('close', resolve)
        response.write('[')
        reader?.unsubscribe()
      }).then(started => {
        server = started
        reader = fetchResultFile(`${started.url}/file`, { check }).subscribe()
      })
    })
    let reader: { unsubscribe(): void } | undefined
    await hungUp
    expect(server?.requests).toEqual(['GET /file'])
  })
})
