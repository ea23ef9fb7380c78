/**
 * How a signed call leaves this process. Signing takes tens of milliseconds and connecting more, and a process can be
 * frozen at any moment of it: so the last byte of a call waits until all others have left, and leaves right after a
 * last look at whether it may. A call without its last byte is none.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { ClientRequest, IncomingMessage } from 'node:http'
import http from 'node:http'
import https from 'node:https'
import { stringify } from 'node:querystring'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fieldsOf, textOf } from './answer-fields'

/** One call on its way out. */
export interface Passage {
  /** The last look, right before the last byte. */
  readonly maySend: () => boolean
  /** Aborted: nobody waits for the answer any longer. */
  readonly signal: AbortSignal
  /** Its last byte has left: from here on it may run. */
  isOut: boolean
}

/** The call did not leave: it has certainly not run. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError'

  /** `why`: a code, without the address. */
  constructor(readonly why: string) {
    super(`not sent: ${why}`)
  }
}

/** What the client of the provider hands to its transport: signed, and not to be changed. */
interface SignedRequest {
  readonly protocol: string
  readonly method: string
  readonly pathname: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Readable
}

/** The part of `@alicloud/tea-typescript` that sends: the client has no setting for another transport. */
interface Transport {
  doAction(request: SignedRequest, runtime: unknown): Promise<unknown>
  readonly Response: new (message: IncomingMessage) => unknown
}

const agents = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) }

const open = ({ protocol, method, pathname, query, headers }: SignedRequest, size: number): ClientRequest => {
  const url = new URL(`${protocol}://${headers.host}${pathname}`)
  const options = {
    method,
    path: Object.keys(query).length === 0 ? url.pathname : `${url.pathname}?${stringify(query)}`,
    headers: { ...headers, 'content-length': size },
  }
  return url.protocol === 'https:'
    ? https.request(url, { ...options, agent: agents.https })
    : http.request(url, { ...options, agent: agents.http })
}

/** Runs `then` once the request has a connection that is ready to be written to. */
const whenConnected = (request: ClientRequest, then: () => void): void => {
  request.once('socket', socket => {
    if (request.reusedSocket) then()
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', then)
  })
}

const notSent = (error: Error): NotSentError =>
  error instanceof NotSentError ? error : new NotSentError(textOf(fieldsOf(error), 'code') ?? error.name)

const send = async (signed: SignedRequest, passage: Passage): Promise<IncomingMessage> => {
  const body = signed.body === undefined ? Buffer.alloc(0) : await buffer(signed.body)
  const mayGoOn = (): boolean => !passage.signal.aborted && passage.maySend()
  return new Promise((resolve, reject) => {
    const request = open(signed, body.byteLength)
    const withdraw = (): void => {
      request.destroy(new NotSentError('withdrawn'))
    }
    const sendLast = (): void => {
      if (mayGoOn()) {
        passage.isOut = true
        request.end(body.subarray(-1))
      } else withdraw()
    }
    passage.signal.addEventListener('abort', withdraw, { once: true })
    request.on('error', error => reject(passage.isOut ? error : notSent(error)))
    request.once('response', resolve)
    whenConnected(request, () => {
      if (!mayGoOn()) withdraw()
      else if (body.byteLength <= 1) sendLast()
      // The callback comes once the system has all of it; after an error, 'error' tells.
      else
        request.write(body.subarray(0, -1), error => {
          if (!error) sendLast()
        })
    })
  })
}

const underWay = new AsyncLocalStorage<Passage>()

// The very instance that the client of the provider uses.
const transport = require(
  require.resolve('@alicloud/tea-typescript', { paths: [require.resolve('@alicloud/openapi-client')] }),
) as Transport
const plainly = transport.doAction
transport.doAction = async (request, runtime) => {
  const passage = underWay.getStore()
  if (passage === undefined) return plainly(request, runtime)
  return new transport.Response(await send(request, passage))
}

/** Runs one call of the provider's client so that what it sends keeps to `passage`. */
export const sendingBy = <T>(passage: Passage, call: () => Promise<T>): Promise<T> =>
  underWay.run(passage, call)
