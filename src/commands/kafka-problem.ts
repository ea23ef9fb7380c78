import { isNativeError } from 'node:util/types'
import type { Config } from '../config'
import { CommandError } from './exit-code'

/** What to do about it, by the client's names and texts. */
const cures: readonly (readonly [RegExp, string])[] = [
  [/sasl/i, 'Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.'],
  [/ssl|tls|certificate/i, 'Check KAFKA_SSL, and the certificate of the broker.'],
  [/not authorized/i, 'Let this user have the topic, on the broker.'],
  [
    /connection|closed|ECONN|ENOTFOUND|EAI_AGAIN|timed? ?out|acknowledgement/i,
    'Check that a broker runs there and can be reached, and KAFKA_BROKERS.',
  ],
]

/** What went wrong with the brokers of `config`, for people: one sentence, and what to do. */
export const kafkaProblem = (error: unknown, { kafkaBrokers }: Config): CommandError => {
  const [name, message] = isNativeError(error) ? [error.name, error.message] : ['', String(error)]
  const [, cure = ''] = cures.find(([form]) => form.test(`${name} ${message}`)) ?? []
  const brokers = (kafkaBrokers ?? []).join(',')
  return new CommandError(
    `Kafka at ${brokers} cannot be used: ${message.replace(/[.\s]+$/, '')}. ${cure}`.trim(),
  )
}
