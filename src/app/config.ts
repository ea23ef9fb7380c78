/** Makes the validated, frozen configuration from the environment, by the table of `config-table.ts`. */
import { messageOf } from '../domain/error-text'
import { type Variable, variables } from './config-table'
import { certificatesIn, isKeyOf } from './config-values'

type Variables = typeof variables
type Value<K extends keyof Variables> = Variables[K] extends Variable<infer T> ? T : never
/** Null for the variables that may be unset. All others have a default. */
type Optional<K extends keyof Variables> = K extends
  | 'kafkaBrokers'
  | 'kafkaSslCa'
  | 'kafkaSslCert'
  | 'kafkaSslKey'
  | 'kafkaSaslMechanism'
  | 'kafkaSaslUsername'
  | 'kafkaSaslPassword'
  | 'databaseUrl'
  | 'accessKeyId'
  | 'accessKeySecret'
  | 'securityToken'
  | 'targetUid'
  | 'targetAliyunId'
  | 'httpToken'
  ? null
  : never

export type Config = { readonly [K in keyof Variables]: Value<K> | Optional<K> }

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] }

export type Environment = Readonly<Record<string, string | undefined>>

/** The environment of this process. It is read nowhere else. */
export const processEnvironment = (): Environment => process.env

/** Variables that are secret as a whole. PGPASSWORD is read by the driver of the database. */
const secretNames = [
  variables.accessKeySecret.name,
  variables.securityToken.name,
  variables.kafkaSaslPassword.name,
  variables.httpToken.name,
  'PGPASSWORD',
]

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    // The text is no encoded one, so it stands for itself.
    return text
  }
}

/** The passwords in a URL, which may be malformed: as they are written, and decoded. */
const passwordsOf = (url: string): string[] => {
  const written = [/^[a-z]+:\/\/[^:/?#]*:(.*)@/is, /[?&]password=([^&]*)/i].map(
    form => form.exec(url)?.[1] ?? '',
  )
  return [...written, ...written.map(decoded)]
}

/** The texts of the environment that must never be shown. Some may be empty. */
export const secretsOf = (environment: Environment): readonly string[] => [
  ...secretNames.map(name => environment[name]?.trim() ?? ''),
  ...passwordsOf(environment[variables.databaseUrl.name]?.trim() ?? ''),
]

/** Problems of the files for TLS to the brokers, which have been read one by one. */
const tlsProblems = ({ kafkaSsl, kafkaSslCa, kafkaSslCert, kafkaSslKey }: Config): string[] => {
  if (!kafkaSsl && (kafkaSslCa ?? kafkaSslCert ?? kafkaSslKey) !== null)
    return ['KAFKA_SSL_CA, KAFKA_SSL_CERT and KAFKA_SSL_KEY need KAFKA_SSL=true: set it, or unset them']
  if (kafkaSslCert === null && kafkaSslKey === null) return []
  if (kafkaSslCert === null || kafkaSslKey === null)
    return ['KAFKA_SSL_CERT and KAFKA_SSL_KEY go together: set both or none']
  const [own] = certificatesIn(kafkaSslCert)
  return isKeyOf(kafkaSslKey, own)
    ? []
    : ['KAFKA_SSL_KEY does not fit KAFKA_SSL_CERT: give the key that its first certificate was made with']
}

/** Problems of variables that do not go together. */
const crossChecks = (config: Config): string[] => {
  const problems = tlsProblems(config)
  const sasl = [config.kafkaSaslMechanism, config.kafkaSaslUsername, config.kafkaSaslPassword]
  if (sasl.some(part => part !== null) && sasl.some(part => part === null))
    problems.push(
      'KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD go together: set all three or none',
    )
  if (config.targetUid !== null && config.targetAliyunId !== null)
    problems.push('TARGET_UID and TARGET_ALIYUN_ID exclude each other: set one')
  if (config.retryBackoffMaxMs < config.retryBackoffMs)
    problems.push('RETRY_BACKOFF_MAX_MS must not be below RETRY_BACKOFF_MS')
  return problems
}

/**
 * Reads every variable of the table. An empty variable counts as unset. All problems are reported together, none
 * with the value of a secret.
 * @param required keys that must be set although they have no default
 */
export const loadConfig = (
  environment: Environment,
  required: readonly (keyof Config)[] = [],
): ConfigResult => {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [key, { name, fallback, parse, meaning }] of Object.entries(variables)) {
    const given = environment[name]?.trim()
    const source = given === undefined || given === '' ? fallback : given
    values[key] = null
    if (source === null) {
      if (required.some(one => one === key)) problems.push(`${name} is not set. ${meaning}`)
      continue
    }
    try {
      values[key] = parse(source)
    } catch (error) {
      problems.push(`${name} ${messageOf(error)}`)
    }
  }
  values.kafkaTransactionalId ??= `${String(values.kafkaGroupId)}.publisher`
  // The loop has set every key of the table by its own parser, which the compiler cannot see.
  const config = Object.freeze(values) as unknown as Config
  if (problems.length === 0) problems.push(...crossChecks(config))
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config }
}

/** The text of `.env.example`: every variable with its default and meaning. */
export const exampleEnvironment = (): string =>
  Object.values(variables)
    .map(
      ({ name, fallback, meaning }) =>
        `# ${meaning}\n${fallback === null ? `# ${name}=` : `${name}=${fallback}`}\n`,
    )
    .join('\n')
