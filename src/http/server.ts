import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Able to work, or why not. */
export interface Readiness {
  readonly ready: boolean
  readonly [detail: string]: unknown
}

export interface HttpDeps {
  readonly readiness: () => Promise<Readiness>
  readonly scrape: () => Promise<{ readonly body: string; readonly contentType: string }>
}

export interface HttpServer {
  readonly url: string
  readonly close: () => Promise<void>
}

const answer = (response: ServerResponse, status: number, contentType: string, body: string): void => {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}

const json = (response: ServerResponse, status: number, value: unknown): void =>
  answer(response, status, 'application/json; charset=utf-8', `${JSON.stringify(value)}\n`)

/**
 * `/healthz` the process answers · `/readyz` it can work, with the reason if not · `/metrics` for Prometheus.
 * @throws if the address cannot be listened on
 */
export const startHttpServer = async (host: string, port: number, deps: HttpDeps): Promise<HttpServer> => {
  const routes: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/healthz': async response => json(response, 200, { alive: true }),
    '/readyz': async response => {
      const readiness = await deps.readiness()
      json(response, readiness.ready ? 200 : 503, readiness)
    },
    '/metrics': async response => {
      const { body, contentType } = await deps.scrape()
      answer(response, 200, contentType, body)
    },
  }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const route = routes[path]
    if (route === undefined)
      json(response, 404, { error: `nothing at ${path.slice(0, 100)}`, paths: Object.keys(routes) })
    else if (request.method !== 'GET' && request.method !== 'HEAD') json(response, 405, { error: 'use GET' })
    else await route(response)
  }
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else json(response, 500, { error: error instanceof Error ? error.message : 'unexpected error' })
    })
  })
  server.requestTimeout = 10_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  // listen() was called with a host and a port, so the address is never a pipe's name.
  const address = server.address() as AddressInfo
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${shown}:${address.port}`,
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
