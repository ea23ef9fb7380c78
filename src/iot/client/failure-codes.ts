import type { CallFailure, FailureKind } from '../../ports/job-api'
import { fieldsOf, plainText, type Scrub, textOf } from './answer-fields'

/**
 * The one table of failure codes; one source a row. Compared without regard to case, since the documentation's own
 * varies. What is in no row is `unknown`, never permanent by guess. "87387" is document 87387 of the IoT Platform
 * (error codes); "51132" is help.aliyun.com/document_detail/51132.html; "26314" is
 * alibabacloud.com/help/zh/doc-detail/26314.htm; "sdk" is @alicloud/openapi-client 0.4.15, read or measured.
 */
type Row = readonly [code: string, kind: FailureKind]

const exact: readonly Row[] = [
  // Rejected by the gateway for what this account may do.
  ['SignatureDoesNotMatch', 'account-refused'], // 51132
  ['IncompleteSignature', 'account-refused'], // 51132
  ['InvalidSecurityToken.Expired', 'account-refused'], // seen in public code: a token of STS ran out
  ['InvalidSecurityToken.Malformed', 'account-refused'], // the same
  ['InvalidTimeStamp.Expired', 'account-refused'], // public reports: our clock is more than 15 min off
  ['Forbidden.RAM', 'account-refused'], // 51132
  ['InvalidCredentials', 'account-refused'], // sdk: no key pair was given
  ['iot.common.RamActionPermissionDeny', 'account-refused'], // 87387
  ['Iot.system.BillIsOverDue', 'account-refused'], // 87387

  // May have run.
  ['SignatureNonceUsed', 'unanswered'], // public reports: the same signed request arrived before, and may have run
  ['ServiceUnavailable', 'unanswered'], // 26314: temporary failure; it does not say that nothing ran
  ['InternalError', 'unanswered'], // 26314
  ['System.Busy', 'unanswered'], // retried by the public Terraform provider; nothing says that nothing ran
  ['iot.system.SystemException', 'unanswered'], // 87387: "try again later"

  // Certainly not sent: node's own codes of a connection that was never made.
  ['ECONNREFUSED', 'not-sent'], // sdk, measured
  ['ENOTFOUND', 'not-sent'], // node: the name does not resolve
  ['EAI_AGAIN', 'not-sent'], // node: the resolver did not answer

  // Answered after validation: the same batch will be refused again.
  ['iot.system.InstanceNotFound', 'batch-refused'], // 87387
  ['iot.Sre.IotInstanceNotFound', 'batch-refused'], // 87387
  ['iot.system.UidNotFound', 'batch-refused'], // 87387: the account is missing or has no IoT Platform
  ['iot.system.IllegalRequest', 'batch-refused'], // 87387
  ['iot.system.InstanceIdSame', 'batch-refused'], // alibabacloud.com/help/doc-detail/87387.htm
  ['iot.common.AuthActionPermissionDeny', 'batch-refused'], // 87387: not a device of this account
  ['iot.common.APINotSupportedInInstance', 'batch-refused'], // 87387
  ['iot.common.InvalidFormattedParameter', 'batch-refused'], // 87387
  ['iot.device.NotExistedDevice', 'batch-refused'], // 87387
  ['iot.device.InvalidFormattedDeviceName', 'batch-refused'], // 87387
  ['iot.device.NoneDeviceNameElement', 'batch-refused'], // 87387: the list is empty
  ['iot.device.NullDeviceName', 'batch-refused'], // 87387
  ['iot.device.DeviceCountExceeded', 'batch-refused'], // 87387
]

const prefixes: readonly Row[] = [
  ['InvalidAccessKeyId', 'account-refused'], // 51132: InvalidAccessKeyId.NotFound, and its family
  ['iot.prod.', 'batch-refused'], // 87387: all of them name a product that cannot be used
  ['iot.check.', 'batch-refused'], // 87387: parameters out of bounds
]

/** 51132; .User, .Api, .User.Flow seen with 400, 429 and inside a 200. The newer SDK looks for the word anywhere. */
const throttling = 'throttling'

const kinds: ReadonlyMap<string, FailureKind> = new Map(
  exact.map(([code, kind]) => [code.toLowerCase(), kind]),
)

/** The kind of a failure code; null when no row has it. */
export const kindOfCode = (code: string): FailureKind | null => {
  const lower = code.toLowerCase()
  if (lower.includes(throttling)) return 'throttled'
  return kinds.get(lower) ?? prefixes.find(([prefix]) => lower.startsWith(prefix.toLowerCase()))?.[1] ?? null
}

/**
 * Not documented: the simulator's stand-in for "10 jobs are open", until somebody has seen the real code.
 * (unverified)
 */
export const defaultSlotsFullCodes: readonly string[] = ['iot.distribute.JobCountExceeded']

export interface FailureClassifier {
  /** An answer that says `Success: false`. */
  ofAnswer(body: Readonly<Record<string, unknown>>): CallFailure
  /** What the client threw: an answer of the gateway (4xx, 5xx), or no answer at all. */
  ofError(error: unknown): CallFailure
  /** An answer we cannot use. For a create: it may have run. */
  ofUselessAnswer(kind: 'unanswered' | 'unknown', why: string): CallFailure
  /** It certainly never left this process, whole. */
  ofUnsent(why: string): CallFailure
  /** No answer within the deadline. */
  ofDeadline(deadlineMs: number): CallFailure
}

/** Turns whatever went wrong with a call into a value without secrets. */
export const createFailureClassifier = (
  scrub: Scrub,
  slotsFullCodes: readonly string[],
): FailureClassifier => {
  const full = new Set(slotsFullCodes.map(code => code.toLowerCase()))
  const kindOf = (code: string): FailureKind | null =>
    full.has(code.toLowerCase()) ? 'slots-full' : kindOfCode(code)
  /** Of a code in an answer. Whoever answers has had the call, whatever of our own connections' codes it repeats. */
  const kindOfAnswered = (code: string): FailureKind | null => {
    const kind = kindOf(code)
    return kind === 'not-sent' ? null : kind
  }
  const failure = (kind: FailureKind, code: string, message: string): CallFailure => ({
    ok: false,
    kind,
    code: plainText(scrub(code), 100) || 'unknown',
    message: scrub(message) || 'no reason given',
  })

  return {
    ofAnswer: body => {
      const code = textOf(body, 'Code') ?? 'unknown'
      const message = textOf(body, 'ErrorMessage') ?? textOf(body, 'Message') ?? ''
      return failure(kindOfAnswered(code) ?? 'unknown', code, message)
    },

    ofError: error => {
      const thrown = fieldsOf(error)
      const answer = fieldsOf(thrown.data)
      const status = Number(answer.statusCode ?? Number.NaN)
      if (Number.isNaN(status)) return ofSilence(thrown)
      const code = textOf(answer, 'Code') ?? textOf(answer, 'code') ?? `http-${status}`
      const message = textOf(answer, 'Message') ?? textOf(answer, 'ErrorMessage') ?? 'no reason given'
      return failure(kindOfAnswered(code) ?? kindOfStatus(status), code, `HTTP ${status}: ${message}`)
    },

    ofUselessAnswer: (kind, why) => failure(kind, 'unusable-answer', why),
    ofUnsent: why => failure('not-sent', why, `not sent: ${why}`),
    ofDeadline: deadlineMs => failure('unanswered', 'deadline', `no answer within ${deadlineMs} ms`),
  }

  /**
   * No answer that could be read. Only a connection that was certainly never made is `not-sent`; all else may have
   * run: both timeouts (even `ConnectTimeout`, which is about an idle socket), resets, HTML instead of JSON.
   * The message of a client's error holds the URL, so it is not used.
   */
  function ofSilence(thrown: Readonly<Record<string, unknown>>): CallFailure {
    const code = textOf(thrown, 'code') ?? textOf(thrown, 'name') ?? 'unknown'
    const kind = kindOf(code)
    const known = kind === 'not-sent' || kind === 'account-refused'
    const why = code === 'SyntaxError' ? 'the answer is not JSON (an error page of a gateway?)' : 'no answer'
    return failure(known ? kind : 'unanswered', code, `${why}: ${code}`)
  }
}

const kindOfStatus = (status: number): FailureKind => {
  if (status === 429) return 'throttled'
  return status >= 500 ? 'unanswered' : 'unknown'
}
