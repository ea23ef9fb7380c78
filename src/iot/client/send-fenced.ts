/**
 * How a signed call leaves this process. Signing takes tens of milliseconds and connecting more, and the process can be
 * frozen at any moment. So the last byte of a call waits until all others have left, and leaves right after a last check
 * that it may. Without its last byte a call does not run.
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
  /** The last check, right before the last byte. */
  readonly maySend: () => boolean
  /** Aborted when nobody waits for the answer any longer. */
  readonly signal: AbortSignal
  /** The last byte has left: from here on the call may run. */
  isOut: boolean
}

/** The call did not leave, so it has certainly not run. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError'

  /** `why` is a code, without the address. */
  constructor(readonly why: string) {
    super(`not sent: ${why}`)
  }
}

/** The signed request that the provider's client hands to its transport. Any change would break the signature. */
interface SignedRequest {
  readonly protocol: string
  readonly method: string
  readonly pathname: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Readable
}

/** The part of `@alicloud/tea-typescript` that sends. The client has no setting for another transport. */
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
      // The callback comes once the system has all bytes. After an error the 'error' event rejects.
      else
        request.write(body.subarray(0, -1), error => {
          if (!error) sendLast()
        })
    })
  })
}

const underWay = new AsyncLocalStorage<Passage>()

// This must be the instance of the package that the provider's client uses.
const transport = require(
  require.resolve('@alicloud/tea-typescript', { paths: [require.resolve('@alicloud/openapi-client')] }),
) as Transport
const unfenced = transport.doAction
transport.doAction = async (request, runtime) => {
  const passage = underWay.getStore()
  if (passage === undefined) return unfenced(request, runtime)
  return new transport.Response(await send(request, passage))
}

/** Runs one call of the provider's client. What the call sends keeps to `passage`. */
export const sendingBy = <T>(passage: Passage, call: () => Promise<T>): Promise<T> =>
  underWay.run(passage, call)
