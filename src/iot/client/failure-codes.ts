/** The failures of calls, as values without secrets: one table of codes, and what each kind of answer comes to. */
import { oneLine } from '../../domain/plain-text'
import type { CallFailure, FailureKind } from '../../ports/job-api'
import { fieldsOf, type Scrub, textOf } from './answer-fields'

/**
 * The one table of failure codes, with one source a row. Codes are compared without regard to case, because the
 * documentation writes one code in several ways. A code without a row is `unknown`, never permanent by guess. "87387" is
 * document 87387 of the IoT Platform (error codes); "51132" is help.aliyun.com/document_detail/51132.html; "26314" is
 * alibabacloud.com/help/zh/doc-detail/26314.htm; "sdk" is @alicloud/openapi-client 0.4.15, read or measured.
 */
type Row = readonly [code: string, kind: FailureKind]

const exact: readonly Row[] = [
  // The gateway rejects what this account may not do.
  ['SignatureDoesNotMatch', 'account-refused'], // 51132
  ['IncompleteSignature', 'account-refused'], // 51132
  ['InvalidSecurityToken.Expired', 'account-refused'], // seen in public code: a token of STS ran out
  ['InvalidSecurityToken.Malformed', 'account-refused'], // seen in public code, like the row above
  ['InvalidTimeStamp.Expired', 'account-refused'], // public reports: this machine's clock is more than 15 min off
  ['Forbidden.RAM', 'account-refused'], // 51132
  ['InvalidCredentials', 'account-refused'], // sdk: no key pair was given
  ['iot.common.RamActionPermissionDeny', 'account-refused'], // 87387
  ['Iot.system.BillIsOverDue', 'account-refused'], // 87387

  // The call may have run.
  ['SignatureNonceUsed', 'unanswered'], // public reports: the same signed request arrived before, and may have run
  ['ServiceUnavailable', 'unanswered'], // 26314: temporary failure; it does not say that nothing ran
  ['InternalError', 'unanswered'], // 26314
  ['System.Busy', 'unanswered'], // retried by the public Terraform provider; nothing says that nothing ran
  ['iot.system.SystemException', 'unanswered'], // 87387: "try again later"

  // The call was certainly not sent: node's own codes of a connection that was never made.
  ['ECONNREFUSED', 'not-sent'], // sdk, measured
  ['ENOTFOUND', 'not-sent'], // node: the name does not resolve
  ['EAI_AGAIN', 'not-sent'], // node: the resolver did not answer

  // The answer came after validation: the same batch will be refused again.
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
  ['InvalidAccessKeyId', 'account-refused'], // 51132: InvalidAccessKeyId.NotFound and others
  ['iot.prod.', 'batch-refused'], // 87387: all of them name a product that cannot be used
  ['iot.check.', 'batch-refused'], // 87387: parameters out of bounds
]

/** 51132. Throttling.User, .Api and .User.Flow were seen with 400, 429 and inside a 200; the newer SDK looks for the word. */
const throttling = 'throttling'

/** Longest code that is kept, characters. */
const longestCode = 100

const kinds: ReadonlyMap<string, FailureKind> = new Map(
  exact.map(([code, kind]) => [code.toLowerCase(), kind]),
)

/** The kind of a failure code; null when it is in no row. */
export const kindOfCode = (code: string): FailureKind | null => {
  const lower = code.toLowerCase()
  if (lower.includes(throttling)) return 'throttled'
  return kinds.get(lower) ?? prefixes.find(([prefix]) => lower.startsWith(prefix.toLowerCase()))?.[1] ?? null
}

/** The code for "10 jobs are open" is not documented. This is the simulator's, until the real one is seen (unverified). */
export const defaultSlotsFullCodes: readonly string[] = ['iot.distribute.JobCountExceeded']

export interface FailureClassifier {
  /** An answer that says `Success: false`. */
  ofAnswer(body: Readonly<Record<string, unknown>>): CallFailure
  /** An error that the client threw: an answer of the gateway (4xx, 5xx), or no answer. */
  ofError(error: unknown): CallFailure
  /** An answer that cannot be used. A create may have run. */
  ofUselessAnswer(kind: 'unanswered' | 'unknown', why: string): CallFailure
  /** The call certainly never left this process whole. */
  ofUnsent(why: string): CallFailure
  /** No answer within the deadline. */
  ofDeadline(deadlineMs: number): CallFailure
}

/** Turns every way in which a call fails into a value without secrets. */
export const createFailureClassifier = (
  scrub: Scrub,
  slotsFullCodes: readonly string[],
): FailureClassifier => {
  const full = new Set(slotsFullCodes.map(code => code.toLowerCase()))
  const kindOf = (code: string): FailureKind | null =>
    full.has(code.toLowerCase()) ? 'slots-full' : kindOfCode(code)
  /** The kind of a code in an answer. Whoever answers has had the call, even if the code is one of a connection. */
  const kindOfAnswered = (code: string): FailureKind | null => {
    const kind = kindOf(code)
    return kind === 'not-sent' ? null : kind
  }
  const failure = (kind: FailureKind, code: string, message: string): CallFailure => ({
    ok: false,
    kind,
    code: oneLine(scrub(code), longestCode) || 'unknown',
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
   * No answer that could be read. Only a connection that was certainly never made is `not-sent`. A call with any other
   * ending may have run: both timeouts (even `ConnectTimeout`, which is about an idle socket), a reset, HTML instead of
   * JSON. The message of a client's error holds the URL, so it is not used.
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
