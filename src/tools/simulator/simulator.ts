import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAccount } from './account'
import { htmlAnswer } from './answer'
import { createAuditBook } from './audit'
import { parsePairs, readBody } from './call'
import { type Controls, controlPrefix, serveControl } from './control'
import { createFaults } from './faults'
import { createFileServer } from './file-server'
import { createForeignJobs } from './foreign-jobs'
import { createGateway, type Reaction } from './gateway'
import { type SimulatorOptions, withDefaults } from './options'
import { createQuotaWindow } from './quota-window'
import { createRandom, hash32, type Random, randomText } from './random'
import { plainHeaders } from './signature'

const MAX_BODY_BYTES = 4 * 1024 * 1024

export interface Simulator extends Controls {
  /** Port 0: any free one. */
  listen(port: number, host?: string): Promise<{ readonly url: string; readonly port: number }>
  /** Stops listening and cuts the connections that are open. */
  stop(): Promise<void>
}

/**
 * A stand-in for the provider over HTTP, with signatures, quota, job limit, jobs that take their time, result files and
 * seeded faults. What it decides depends on the options and the calls only. The first letters of its JobIds are the one
 * exception: unless the options give them, they are drawn at each start, so that the ids of an earlier start never come
 * again. `now` gives ms since 1970.
 */
export const createSimulator = (
  given: Partial<SimulatorOptions> = {},
  now: () => number = () => Date.now(),
  atStart: Random = Math.random,
): Simulator => {
  const { jobIdPrefix: prefix, ...seeded } = withDefaults(given)
  const options = { ...seeded, jobIdPrefix: prefix === '' ? randomText(atStart, 8) : prefix }
  const account = createAccount(options)
  const audit = createAuditBook()
  const faults = createFaults(options, createRandom(hash32(options.seed, 'faults')))
  const latency = createRandom(hash32(options.seed, 'latency'))
  const { qpsCreate, qpsQuery, qpsList, qpsDetail, qpsDelete, qpsProvisioning } = options
  const window = createQuotaWindow(
    {
      create: qpsCreate,
      query: qpsQuery,
      list: qpsList,
      detail: qpsDetail,
      delete: qpsDelete,
      provisioning: qpsProvisioning,
    },
    options.qps,
  )
  const foreign = createForeignJobs(account)
  const gateway = createGateway({ account, window, audit, faults })
  const serveFile = createFileServer(account, faults, audit)
  const timers = new Set<NodeJS.Timeout>()

  const settled = () => {
    const at = now()
    account.timeline.advance(at)
    return at
  }
  const controls: Controls = {
    audit: () => audit.summary(window, account.book, foreign.opened(), settled()),
    truth() {
      settled()
      return account.truth.summary()
    },
    devices() {
      settled()
      return account.truth.records()
    },
    failNext: (operation, fault, times) => faults.inject(operation, fault, times),
    addForeignJob: (job = {}) => foreign.open(job, settled()),
  }

  const later = (delayMs: number, run: () => void) => {
    if (delayMs <= 0) return run()
    const timer = setTimeout(() => {
      timers.delete(timer)
      run()
    }, delayMs)
    timers.add(timer)
  }

  const react = (reaction: Reaction, response: ServerResponse) => {
    const spread = options.latencyMaxMs - options.latencyMinMs
    const delayMs = options.latencyMinMs + (spread > 0 ? latency() * spread : 0)
    if (reaction.kind === 'cut') return later(delayMs, () => response.destroy())
    const { status, contentType, body } = reaction.answer
    later(delayMs + reaction.delayMs, () => {
      response
        .writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
        .end(body)
    })
  }

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await readBody(request, MAX_BODY_BYTES)
    if (body === null)
      return react(
        { kind: 'answer', answer: htmlAnswer(413, 'Request Entity Too Large'), delayMs: 0 },
        response,
      )
    const method = request.method ?? 'GET'
    const url = new URL(request.url ?? '/', 'http://simulator')
    if (url.pathname.startsWith(controlPrefix)) return serveControl(controls, method, url, body, response)
    if (url.pathname !== '/') return serveFile(url, response, now())
    const headers = plainHeaders(request.headers)
    const isForm = (headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')
    const form = isForm ? parsePairs(body.toString('utf8')) : []
    const query = parsePairs(url.search.slice(1))
    react(gateway({ method, path: url.pathname, query, form, headers, body }, now()), response)
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(error => {
      // Either the caller went away in the middle, or the simulator has a defect, which must not look like a fault.
      if (!request.complete || response.headersSent) response.destroy()
      else response.writeHead(500, { 'content-type': 'text/plain' }).end(`simulator: ${error}`)
    })
  })

  return {
    ...controls,
    listen: (port, host = '127.0.0.1') =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          foreign.start(now())
          const bound = (server.address() as AddressInfo).port
          resolve({ url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, port: bound })
        })
      }),
    stop: () =>
      new Promise(resolve => {
        for (const timer of timers) clearTimeout(timer)
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
