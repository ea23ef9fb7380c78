/** One signed call to the provider, on top of the vendor's client. */
import OpenApi, { Config, OpenApiRequest, Params } from '@alicloud/openapi-client'
import { RuntimeOptions } from '@alicloud/tea-util'
import { catchError, defer, finalize, from, map, type Observable, of, raceWith, timer } from 'rxjs'
import type { CallFailure, CallResult } from '../../ports/job-api'
import { type Fields, fieldsOf } from './answer-fields'
import type { FailureClassifier } from './failure-codes'
import { NotSentError, type Passage, sendingBy } from './send-fenced'

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
  // The SDK's own timeouts do not apply, because `send-fenced.ts` does the sending.
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
