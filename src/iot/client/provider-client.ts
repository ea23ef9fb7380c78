/**
 * One signed call to the provider, and how it leaves this process. Signing takes tens of milliseconds and connecting more,
 * and the process can be frozen at any moment. So the last byte of a call waits until all others have left, and leaves right
 * after a last check that it may. Without its last byte a call does not run.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ClientRequest, IncomingMessage } from 'node:http'
import http from 'node:http'
import https from 'node:https'
import { stringify } from 'node:querystring'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import OpenApi, { Config, OpenApiRequest, Params } from '@alicloud/openapi-client'
import { RuntimeOptions } from '@alicloud/tea-util'
import { catchError, defer, finalize, from, map, type Observable, of, raceWith, timer } from 'rxjs'
import type { CallFailure, CallResult } from '../../ports/job-api'
import { type Fields, fieldsOf, textOf } from './answer-fields'
import type { FailureClassifier } from './failure-codes'

/** One call on its way out. */
interface Passage {
  /** The last check, right before the last byte. */
  readonly maySend: () => boolean
  /** Aborted when nobody waits for the answer any longer. */
  readonly signal: AbortSignal
  /** The last byte has left: from here on the call may run. */
  isOut: boolean
}

/** The call did not leave, so it has certainly not run. */
class NotSentError extends Error {
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
const sendingBy = <T>(passage: Passage, call: () => Promise<T>): Promise<T> => underWay.run(passage, call)

export interface ProviderRequest {
  readonly action: string
  /** The client does not flatten it: any value but text breaks the signature. */
  readonly query?: Readonly<Record<string, string>>
  /** Form fields; lists are flattened (`DeviceName.1`, …). */
  readonly body?: Readonly<Record<string, unknown>>
}

/** The body of an answer that says `Success`, or why there is none. */
export type Call = (request: ProviderRequest) => Observable<CallResult<Fields>>

export interface ClientOptions {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken?: string
  /** `https://iot.cn-shanghai.aliyuncs.com`, or the simulator's. */
  readonly endpoint: string
  readonly callTimeoutMs: number
  /** Asked last, right before the end of a call leaves. Default: always true. */
  readonly maySend?: () => boolean
}

const apiVersion = '2018-01-20'

/** `Success` decides, never `Code`: a success may carry no code, an empty one or "success". */
const succeeded = (body: Fields): boolean | null => {
  const said = String(body.Success).toLowerCase()
  if (said === 'true') return true
  return said === 'false' ? false : null
}

/**
 * A call is signed and sent once, never repeated; its failures are values. Subscribing sends it, and unsubscribing takes it
 * back as long as its last byte has not left.
 */
export const createClient = (options: ClientOptions, classify: FailureClassifier): Call => {
  const { callTimeoutMs, maySend = () => true } = options
  const endpoint = new URL(options.endpoint)
  const client = new OpenApi(
    new Config({
      accessKeyId: options.accessKeyId,
      accessKeySecret: options.accessKeySecret,
      ...(options.securityToken === undefined ? {} : { securityToken: options.securityToken }),
      endpoint: endpoint.host,
      protocol: endpoint.protocol.slice(0, -1),
    }),
  )
  // The SDK's own timeouts do not apply, because `send` does the sending.
  const runtime = new RuntimeOptions({ autoretry: false })

  const readAnswer = (body: Fields): CallResult<Fields> => {
    const success = succeeded(body)
    if (success === true) return { ok: true, value: body }
    if (success === false) return classify.ofAnswer(body)
    return classify.ofUselessAnswer('unanswered', 'the answer does not say whether it succeeded')
  }

  return ({ action, query, body }) => {
    const params = new Params({
      action,
      version: apiVersion,
      protocol: 'HTTPS',
      pathname: '/',
      method: 'POST',
      authType: 'AK',
      style: 'RPC',
      reqBodyType: 'formData',
      bodyType: 'json',
    })
    return defer(() => {
      const withdrawn = new AbortController()
      const passage: Passage = { maySend, signal: withdrawn.signal, isOut: false }
      const request = new OpenApiRequest({ query: { ...query }, ...(body ? { body } : {}) })
      const late = (): CallFailure =>
        passage.isOut ? classify.ofDeadline(callTimeoutMs) : classify.ofUnsent('deadline')
      return from(sendingBy(passage, () => client.callApi(params, request, runtime))).pipe(
        map(answer => readAnswer(fieldsOf(fieldsOf(answer).body))),
        catchError((error: unknown) =>
          of(error instanceof NotSentError ? classify.ofUnsent(error.why) : classify.ofError(error)),
        ),
        raceWith(timer(callTimeoutMs).pipe(map(late))),
        finalize(() => withdrawn.abort()),
      )
    })
  }
}
