import type { CallFailure, FailureKind } from '../ports'
import { fieldsOf, textOf } from './answer-fields'
import { kindOfCode } from './failure-codes'
import { plainText, type Scrub } from './scrub'

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
