/** What is wrong with the database, the broker or an address to listen on, in sentences that say what to do. */
import { isNativeError } from 'node:util/types'
import type { Config } from '../app/config'
import { advised } from '../kafka/advice'
import { TransientError } from '../ports/errors'
import { NewerDatabaseError } from '../postgres/session/migrations'
import { asPortError } from '../postgres/session/transaction'
import { CommandError, exitCode } from './exit-code'

/** What to do about an error of the database, by SQLSTATE or by the system's code. */
const cures: readonly (readonly [RegExp, string])[] = [
  [/^(28P01|28000)$/, 'Check the user and the password in DATABASE_URL, and what pg_hba.conf lets in.'],
  [/^3D000$/, 'Create the database first, or correct its name in DATABASE_URL.'],
  [/^42501$/, 'Let this user create schemas in the database, or migrate as its owner.'],
  [
    /^(42P01|42703|3F000)$/,
    'Run `device-move migrate`: its schema was not made, or is older than this release.',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    'Name the server in DATABASE_URL as its certificate does, or give it a certificate for this name.',
  ],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_)/,
    'Give the server’s certificate authority as sslrootcert in DATABASE_URL.',
  ],
  [/^(ENOENT|EACCES|EISDIR)$/, 'Correct the file named in DATABASE_URL.'],
]
const reachIt = 'Check that PostgreSQL runs there, and host and port in DATABASE_URL.'
const passwordMissing = /password must be a (non-empty )?string/

const adviceFor = (error: Error): string | null => {
  if (error instanceof TransientError) return reachIt
  if (error instanceof NewerDatabaseError) return 'Run the newer release.'
  const code = 'code' in error ? String(error.code) : ''
  const [, cure] = cures.find(([codes]) => codes.test(code)) ?? []
  return cure ?? (passwordMissing.test(error.message) ? 'Give a password in DATABASE_URL.' : null)
}

/** `host:port/name`, without the login. */
const placeOf = (url: string): string => {
  const { host, pathname } = new URL(url)
  return `${host}${pathname}`
}

const usageCodes = /^(ENOENT|EACCES|EISDIR|ERR_INVALID_URL)$/

/** What went wrong with the database at `url` (valid as a URL), for people: one sentence, and what to do. */
export const databaseProblem = (error: unknown, url: string): CommandError => {
  const asked = asPortError(error)
  const known = isNativeError(asked) ? asked : new Error(String(asked))
  const advice = adviceFor(known)
  const text = `The database ${placeOf(url)} cannot be used: ${known.message.replace(/[.\s]+$/, '')}.`
  const code = 'code' in known ? String(known.code) : ''
  return new CommandError(
    advice === null ? text : `${text} ${advice}`,
    usageCodes.test(code) ? exitCode.usage : exitCode.failed,
  )
}

/** The same for an error that an operator can cure; null for any other error. */
export const knownDatabaseProblem = (error: unknown, url: string): CommandError | null =>
  isNativeError(error) && adviceFor(error) !== null ? databaseProblem(error, url) : null

/** What went wrong with the brokers of `config`, for people: one sentence, and what to do. */
export const kafkaProblem = (error: unknown, { kafkaBrokers }: Config): CommandError =>
  new CommandError(`Kafka at ${(kafkaBrokers ?? []).join(',')} cannot be used: ${advised(error)}`)
