import { isLoopback } from '../domain/loopback'
/** Every variable: name, default, unit and bound stand in this one table. */

export interface Variable<T> {
  readonly name: string
  /** As it would be written; null: no default. */
  readonly fallback: string | null
  readonly meaning: string
  /** Throws an Error that says what is wrong with the text. */
  readonly parse: (text: string) => T
}

const text =
  (pattern?: RegExp, form?: string) =>
  (value: string): string => {
    if (pattern !== undefined && !pattern.test(value)) throw new Error(`must be ${form}`)
    return value
  }

const integer =
  (min: number, max: number) =>
  (value: string): number => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new Error(`must be a whole number from ${min} to ${max}`)
    return number
  }

const flag = (value: string): boolean => {
  if (value !== 'true' && value !== 'false') throw new Error('must be true or false')
  return value === 'true'
}

const choice =
  <T extends string>(...allowed: readonly T[]) =>
  (value: string): T => {
    const found = allowed.find(one => one === value)
    if (found === undefined) throw new Error(`must be one of ${allowed.join(', ')}`)
    return found
  }

const list =
  (pattern: RegExp, form: string) =>
  (value: string): readonly string[] => {
    const items = value
      .split(',')
      .map(item => item.trim())
      .filter(item => item !== '')
    const bad = items.find(item => !pattern.test(item))
    if (items.length === 0 || bad !== undefined) throw new Error(`must be a comma-separated list of ${form}`)
    return items
  }

const url =
  (...protocols: readonly string[]) =>
  (value: string): string => {
    const form = `must be a URL that starts with ${protocols.join('// or ')}//`
    let parsed: URL
    try {
      parsed = new URL(value)
    } catch {
      throw new Error(form)
    }
    if (!protocols.includes(parsed.protocol)) throw new Error(form)
    return value
  }

/** Calls are signed, not hidden: without TLS a session token and every device name would go over the wire as they are. */
const endpoint = (value: string): string => {
  const { protocol, hostname, username, password } = new URL(url('https:', 'http:')(value))
  if (username !== '' || password !== '') throw new Error('must not hold a user name')
  if (protocol === 'http:' && !isLoopback(hostname))
    throw new Error('must start with https:// unless its host is this machine (127.0.0.1)')
  return value
}

const topic = text(/^[A-Za-z0-9._-]{1,249}$/, 'a topic name (1 to 249 of A-Z a-z 0-9 . _ -)')
const printable = text(/^[\x21-\x7e]{1,256}$/, '1 to 256 printable characters without spaces')
const durationMs = integer(1, 86_400_000)
const callsPerSecond = integer(1, 1000)

const variable = <T>(
  name: string,
  fallback: string | null,
  parse: (value: string) => T,
  meaning: string,
): Variable<T> => ({
  name,
  fallback,
  meaning,
  parse,
})

export const variables = {
  kafkaBrokers: variable(
    'KAFKA_BROKERS',
    null,
    list(/^[^\s:,]+:\d{1,5}$/, 'host:port'),
    'Comma-separated host:port of the brokers. Required by run.',
  ),
  kafkaGroupId: variable('KAFKA_GROUP_ID', 'device-move', printable, 'Consumer group of the intake.'),
  kafkaClientId: variable('KAFKA_CLIENT_ID', 'device-move', printable, 'Name shown in the broker’s logs.'),
  kafkaTransactionalId: variable(
    'KAFKA_TRANSACTIONAL_ID',
    null,
    printable,
    'Transactional id of the publisher, and the group that keeps its position. Default: <KAFKA_GROUP_ID>.publisher',
  ),
  kafkaSsl: variable('KAFKA_SSL', 'false', flag, 'TLS to the brokers.'),
  kafkaSaslMechanism: variable(
    'KAFKA_SASL_MECHANISM',
    null,
    choice('plain', 'scram-sha-256', 'scram-sha-512'),
    'plain, scram-sha-256 or scram-sha-512. Unset: no authentication.',
  ),
  kafkaSaslUsername: variable('KAFKA_SASL_USERNAME', null, text(), 'User for KAFKA_SASL_MECHANISM.'),
  kafkaSaslPassword: variable('KAFKA_SASL_PASSWORD', null, text(), 'Its password.'),
  kafkaRequestsTopic: variable(
    'KAFKA_REQUESTS_TOPIC',
    'device-move.requests',
    topic,
    'Requests are read here.',
  ),
  kafkaResultsTopic: variable(
    'KAFKA_RESULTS_TOPIC',
    'device-move.results',
    topic,
    'Outcomes are published here.',
  ),
  kafkaDeadLetterTopic: variable(
    'KAFKA_DEAD_LETTER_TOPIC',
    'device-move.dead-letter',
    topic,
    'Final failures and rejections are published here.',
  ),
  kafkaCreateTopics: variable('KAFKA_CREATE_TOPICS', 'false', flag, 'Create the topics that are missing.'),
  databaseUrl: variable(
    'DATABASE_URL',
    null,
    url('postgres:', 'postgresql:'),
    'PostgreSQL 13 or newer. Required by run.',
  ),
  accessKeyId: variable(
    'ALIBABA_CLOUD_ACCESS_KEY_ID',
    null,
    printable,
    'Access key of the account. Required by run.',
  ),
  accessKeySecret: variable(
    'ALIBABA_CLOUD_ACCESS_KEY_SECRET',
    null,
    printable,
    'Its secret. Required by run.',
  ),
  securityToken: variable(
    'ALIBABA_CLOUD_SECURITY_TOKEN',
    null,
    text(/^\S+$/, 'a token without spaces'),
    'Token of temporary credentials.',
  ),
  iotEndpoint: variable(
    'IOT_ENDPOINT',
    'https://iot.cn-shanghai.aliyuncs.com',
    endpoint,
    'The provider; http://127.0.0.1:PORT is the simulator.',
  ),
  resultFileHosts: variable(
    'RESULT_FILE_HOSTS',
    '*.aliyuncs.com',
    list(
      /^(\*\.(?=[^.]+\.[^.]))?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/,
      'host names; *. is allowed in front of two labels or more',
    ),
    'Hosts a result file may be fetched from, *. for any subdomain; a loopback IOT_ENDPOINT is added.',
  ),
  quotaQps: variable(
    'QUOTA_QPS',
    '2',
    integer(0, 1000),
    'Calls a second, all operations together; 0 lifts this shared cap.',
  ),
  quotaQpsCreate: variable('QUOTA_QPS_CREATE', '2', callsPerSecond, 'Creates a second.'),
  quotaQpsQuery: variable('QUOTA_QPS_QUERY', '10', callsPerSecond, 'Queries of one job a second.'),
  quotaQpsDetail: variable('QUOTA_QPS_DETAIL', '5', callsPerSecond, 'Result look-ups a second.'),
  quotaQpsList: variable('QUOTA_QPS_LIST', '5', callsPerSecond, 'Lists a second.'),
  quotaJobs: variable(
    'QUOTA_JOBS',
    '10',
    integer(1, 1000),
    'Jobs open at once in the account, other people’s included.',
  ),
  quotaQpsProvisioning: variable(
    'QUOTA_QPS_PROVISIONING',
    '50',
    callsPerSecond,
    'Look-ups of single devices a second.',
  ),
  lookupMaxDevices: variable(
    'LOOKUP_MAX_DEVICES',
    '1000',
    integer(0, 10_000),
    'Single devices looked up a job, at most.',
  ),
  callTimeoutMs: variable('CALL_TIMEOUT_MS', '20000', integer(100, 600_000), 'Deadline of one call, ms.'),
  createSettleMs: variable(
    'CREATE_SETTLE_MS',
    '60000',
    integer(100, 3_600_000),
    'How long after a create without an answer its job may still appear, ms.',
  ),
  batchMaxDevices: variable('BATCH_MAX_DEVICES', '10000', integer(1, 10_000), 'Moves a batch at most.'),
  batchMaxWaitMs: variable(
    'BATCH_MAX_WAIT_MS',
    '5000',
    integer(0, 86_400_000),
    'With a free slot, the oldest pending move of a route waits at most so long, ms.',
  ),
  retryMaxAttempts: variable(
    'RETRY_MAX_ATTEMPTS',
    '5',
    integer(1, 1000),
    'Attempts a move, the first included.',
  ),
  retryBackoffMs: variable(
    'RETRY_BACKOFF_MS',
    '30000',
    durationMs,
    'Wait before the second attempt, ms; doubles, with jitter.',
  ),
  retryBackoffMaxMs: variable(
    'RETRY_BACKOFF_MAX_MS',
    '3600000',
    durationMs,
    'Longest wait between attempts, ms.',
  ),
  resultsCloudEvents: variable('RESULTS_CLOUDEVENTS', 'true', flag, 'ce_ headers on results.'),
  targetUid: variable('TARGET_UID', null, printable, 'Target account id for requests that name none.'),
  targetAliyunId: variable(
    'TARGET_ALIYUN_ID',
    null,
    printable,
    'Target account login for requests that name none.',
  ),
  httpHost: variable(
    'HTTP_HOST',
    '127.0.0.1',
    text(/^[A-Za-z0-9.:_-]+$/, 'a host name or address'),
    'Address to listen on.',
  ),
  httpPort: variable('HTTP_PORT', '8080', integer(0, 65_535), 'Port to listen on; 0: any free one, logged.'),
  httpToken: variable(
    'HTTP_TOKEN',
    null,
    printable,
    'Bearer token for what changes state over HTTP; unset: off.',
  ),
  logLevel: variable(
    'LOG_LEVEL',
    'info',
    choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'JSON lines on stderr from this level on.',
  ),
} as const
