import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Mutations } from './mutations'

export const answer = (
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string,
  headers: OutgoingHttpHeaders = {},
): void => {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  })
  response.end(body)
}

export const answerJson = (
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: OutgoingHttpHeaders = {},
): void => answer(response, status, 'application/json; charset=utf-8', `${JSON.stringify(value)}\n`, headers)

const loopbackName = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i
const loopbackAddress = /^(127\.|::1$|::ffff:127\.)/

/**
 * Says whether a request's Host header is one that is meant here. On this machine's own address only its own names are:
 * a web page whose name was made to stand for 127.0.0.1 sends that name, and is not to read what the browser's user
 * may. A request without the header comes from no browser. On other addresses every name may be right.
 * @param address the one listened on, as the socket has it
 */
export const createHostHeaderCheck =
  (address: string) =>
  (host: string | undefined): boolean =>
    host === undefined || !loopbackAddress.test(address) || loopbackName.test(host)

/** Able to work, or why not. */
export interface HttpReadiness {
  readonly ready: boolean
  readonly because: readonly string[]
}

export interface HttpDeps {
  readonly readiness: () => Promise<HttpReadiness>
  /** What `status --json` prints. */
  readonly status: () => Promise<object>
  readonly scrape: () => Promise<{ readonly body: string; readonly contentType: string }>
  readonly mutations: Mutations
  /** Told of what nobody expected; the answer says no more than that it happened. */
  readonly onError: (error: unknown) => void
}

export interface HttpServer {
  readonly url: string
  readonly close: () => Promise<void>
}

/** Against those who send slowly, ms: head, whole request, how often it is looked at; and against many at once. */
const limits = { headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 }
const maxConnections = 256

/**
 * `/healthz` the process answers · `/readyz` it can work, with the reason if not · `/metrics` for Prometheus ·
 * `/api/status` how the work stands.
 * @throws if the address cannot be listened on
 */
export const startHttpServer = async (host: string, port: number, deps: HttpDeps): Promise<HttpServer> => {
  const routes: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/healthz': async response => answerJson(response, 200, { alive: true }),
    '/readyz': async response => {
      const readiness = await deps.readiness()
      answerJson(response, readiness.ready ? 200 : 503, readiness)
    },
    '/api/status': async response => answerJson(response, 200, await deps.status()),
    '/metrics': async response => {
      const { body, contentType } = await deps.scrape()
      answer(response, 200, contentType, body)
    },
  }
  const server = createServer(limits)
  server.maxConnections = maxConnections
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  // listen() was called with a host and a port, so the address is never a pipe's name.
  const address = server.address() as AddressInfo
  const isMeantHere = createHostHeaderCheck(address.address)
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!isMeantHere(request.headers.host)) {
      answerJson(response, 421, { error: 'the Host header names another machine' }, { connection: 'close' })
      return
    }
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const mutation = deps.mutations(request, path)
    const route = routes[path]
    if (mutation !== null) {
      const { status, body, headers } = await mutation
      answerJson(response, status, body, headers)
    } else if (route === undefined)
      answerJson(response, 404, { error: `nothing at ${path.slice(0, 100)}`, paths: Object.keys(routes) })
    else if (request.method !== 'GET' && request.method !== 'HEAD')
      answerJson(response, 405, { error: 'use GET' })
    else await route(response)
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response).catch((error: unknown) => {
      // Whoever hung up half-way through a request is told nothing, and is no fault of ours.
      if (request.destroyed && !request.complete) return
      deps.onError(error)
      if (response.headersSent) response.destroy()
      else answerJson(response, 500, { error: 'unexpected error: see the log' })
    })
  })
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
