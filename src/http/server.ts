/** The HTTP server: health, readiness, metrics, status, and the paths that change state. */
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isLoopback } from '../domain/loopback'
import type { Mutations } from './mutations'
import { shareBriefly } from './share-briefly'

/** Limits against clients that send slowly, ms: for the head, for the whole request, and between two checks of both. */
const limits = { headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 }
/** Limit against many clients at once. */
const maxConnections = 256

const answer = (
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

const jsonType = 'application/json; charset=utf-8'
const jsonText = (value: unknown): string => `${JSON.stringify(value)}\n`

const answerJson = (
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: OutgoingHttpHeaders = {},
): void => answer(response, status, jsonType, jsonText(value), headers)

/** As a URL writes the address. */
const hostOf = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/**
 * Says whether a request's Host header may be answered. A server on a loopback address answers only to this machine's
 * own names: a web page whose name resolves to 127.0.0.1 sends that name, and may not read what the user of the browser
 * may. A request without the header comes from no browser. On any other address every name may be right.
 * @param address the address that is listened on, as the socket gives it
 */
export const createHostHeaderCheck = (address: string): ((host: string | undefined) => boolean) => {
  const isLocal = isLoopback(hostOf(address.replace(/^::ffff:/, '')))
  return host => host === undefined || !isLocal || isLoopback(host.replace(/:\d{1,5}$/, '').toLowerCase())
}

export interface HttpReadiness {
  readonly ready: boolean
  /** Why it is not ready. */
  readonly because: readonly string[]
}

export interface HttpDeps {
  readonly readiness: () => Promise<HttpReadiness>
  /** What `status --json` prints. */
  readonly status: () => Promise<object>
  readonly scrape: () => Promise<{ readonly body: string; readonly contentType: string }>
  readonly mutations: Mutations
  /** Called for an unexpected error. The answer says only that there was one. */
  readonly onError: (error: unknown) => void
}

export interface HttpServer {
  readonly url: string
  /** Cuts the requests that are being answered. */
  readonly stop: () => Promise<void>
}

/**
 * Serves `/healthz` (the process answers), `/readyz` (it can work, or why not), `/metrics` (for Prometheus),
 * `/api/status` (how the work stands) and the paths of `mutations`.
 * @throws if the address cannot be listened on
 */
export const startHttpServer = async (host: string, port: number, deps: HttpDeps): Promise<HttpServer> => {
  const statusText = shareBriefly(async () => jsonText(await deps.status()))
  const scrape = shareBriefly(deps.scrape)
  const routes: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/healthz': async response => answerJson(response, 200, { alive: true }),
    '/readyz': async response => {
      const readiness = await deps.readiness()
      answerJson(response, readiness.ready ? 200 : 503, readiness)
    },
    '/api/status': async response => answer(response, 200, jsonType, await statusText()),
    '/metrics': async response => {
      const { body, contentType } = await scrape()
      answer(response, 200, contentType, body)
    },
  }
  const server = createServer(limits)
  server.maxConnections = maxConnections
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  // The server listens on a host and a port, so its address is not the name of a pipe.
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
      // A client that hangs up in the middle of its request is no error of the service.
      if (request.destroyed && !request.complete) return
      deps.onError(error)
      if (response.headersSent) response.destroy()
      else answerJson(response, 500, { error: 'unexpected error: see the log' })
    })
  })
  return {
    url: `http://${hostOf(address.address)}:${address.port}`,
    stop: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
