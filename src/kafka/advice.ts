/** What to do about an error of the brokers. */
import { isNativeError } from 'node:util/types'
import { messageOf } from '../domain/error-text'

/**
 * By the client's names, codes and texts; the first that fits counts. Brokers answer a certificate that they do not like
 * with an alert, which TLS hands on as the text of an error.
 */
const cures: readonly (readonly [RegExp, string])[] = [
  [
    /sasl/i,
    'Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, and the user at the broker.',
  ],
  [/CERT_HAS_EXPIRED/, 'The certificate of the broker is too old: renew it there.'],
  [
    /CERT_NOT_YET_VALID/,
    'The certificate of the broker is not valid yet: check the clocks of both machines.',
  ],
  [
    /ALTNAME_INVALID/,
    'Name the broker in KAFKA_BROKERS as its certificate does; KAFKA_SSL_CHECK_HOSTNAME=false accepts another name.',
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)/,
    'Give the authority that signed the certificate of the broker as KAFKA_SSL_CA.',
  ],
  [
    /alert certificate expired/i,
    'The broker finds our certificate too old: renew the file of KAFKA_SSL_CERT.',
  ],
  [
    /alert (certificate required|bad certificate|handshake failure|unknown ca|certificate unknown)/i,
    'The broker asks for a certificate that it trusts: check KAFKA_SSL_CERT and KAFKA_SSL_KEY.',
  ],
  [
    /wrong version number|packet length too long|before secure TLS connection/i,
    'That port speaks no TLS: name another one in KAFKA_BROKERS, or unset KAFKA_SSL.',
  ],
  [/no such file|permission denied/i, 'Correct the files of KAFKA_SSL_CA, KAFKA_SSL_CERT and KAFKA_SSL_KEY.'],
  [
    /ssl|tls|certificate/i,
    'Check KAFKA_SSL, KAFKA_SSL_CA, KAFKA_SSL_CERT and KAFKA_SSL_KEY, and the certificate of the broker.',
  ],
  [/not authorized/i, 'Let this user have the topic, the group and the transactional id, on the broker.'],
  [/has no leader/, 'Bring that broker back.'],
  [
    /Closed connection/,
    'Check that a broker runs there, and whether that port of KAFKA_BROKERS wants TLS (KAFKA_SSL).',
  ],
  [
    /connection|closed|ECONN|ENOTFOUND|EAI_AGAIN|timed? ?out|acknowledgement/i,
    'Check that a broker runs there and can be reached, and KAFKA_BROKERS.',
  ],
]

/** Name, code and text of an error and of what caused it. */
const wordsOf = (error: unknown): string => {
  if (!isNativeError(error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  return [error.name, code, error.message, error.cause === undefined ? '' : wordsOf(error.cause)].join(' ')
}

/** What a person can do about it, in one sentence; empty where nothing is known. */
export const adviceOn = (error: unknown): string => {
  const words = wordsOf(error)
  return cures.find(([form]) => form.test(words))?.[1] ?? ''
}

/** What went wrong, and what to do. */
export const advised = (error: unknown): string => {
  const text = messageOf(error)
    // OpenSSL names places of its source around what has happened.
    .replace(/\S*:SSL routines:[^:]*:([^:]+):.*$/s, '$1')
    .replace(/[.\s]+$/, '')
  const advice = adviceOn(error)
  return advice === '' ? text : `${text}. ${advice}`
}
