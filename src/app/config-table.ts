/** Every variable of the configuration: its name, default, unit and bounds stand in this one table. */
import {
  callsPerSecond,
  certificateFile,
  choice,
  durationMs,
  endpoint,
  flag,
  integer,
  keyFile,
  list,
  printable,
  text,
  topic,
  url,
} from './config-values'

export interface Variable<T> {
  readonly name: string
  /** The default, as it would be written; null: there is none. */
  readonly fallback: string | null
  readonly meaning: string
  /** Throws an error that says what is wrong with the text. */
  readonly parse: (text: string) => T
}

const variable = <T>(
  name: string,
  fallback: string | null,
  parse: (value: string) => T,
  meaning: string,
): Variable<T> => ({ name, fallback, meaning, parse })

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
    'Transactional id of the publisher, and name of the group that keeps its position. Default: <KAFKA_GROUP_ID>.publisher',
  ),
  kafkaSsl: variable('KAFKA_SSL', 'false', flag, 'TLS to the brokers.'),
  kafkaSslCa: variable(
    'KAFKA_SSL_CA',
    null,
    certificateFile,
    'PEM file of the authority that has signed the brokers’ certificates. Unset: the authorities that Node knows.',
  ),
  kafkaSslCert: variable(
    'KAFKA_SSL_CERT',
    null,
    certificateFile,
    'PEM file of the certificate that the brokers ask for, with its chain if it has one.',
  ),
  kafkaSslKey: variable('KAFKA_SSL_KEY', null, keyFile, 'PEM file of the private key of KAFKA_SSL_CERT.'),
  kafkaSslCheckHostname: variable(
    'KAFKA_SSL_CHECK_HOSTNAME',
    'true',
    flag,
    'false accepts another name in a certificate of that authority.',
  ),
  kafkaSaslMechanism: variable(
    'KAFKA_SASL_MECHANISM',
    null,
    choice('plain', 'scram-sha-256', 'scram-sha-512'),
    'plain, scram-sha-256 or scram-sha-512. Unset: no authentication.',
  ),
  kafkaSaslUsername: variable('KAFKA_SASL_USERNAME', null, text(), 'User for KAFKA_SASL_MECHANISM.'),
  kafkaSaslPassword: variable('KAFKA_SASL_PASSWORD', null, text(), 'Password of KAFKA_SASL_USERNAME.'),
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
    'PostgreSQL 14 or newer. Required by run.',
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
    'Secret of the access key. Required by run.',
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
    'Hosts that a result file may be fetched from; *. stands for any subdomain. A loopback IOT_ENDPOINT is added.',
  ),
  quotaQps: variable(
    'QUOTA_QPS',
    '2',
    integer(0, 1000),
    'Calls a second of all operations together; 0 lifts this shared cap.',
  ),
  quotaQpsCreate: variable('QUOTA_QPS_CREATE', '2', callsPerSecond, 'Creates a second.'),
  quotaQpsQuery: variable(
    'QUOTA_QPS_QUERY',
    '10',
    callsPerSecond,
    'Queries of the state of one job a second.',
  ),
  quotaQpsDetail: variable(
    'QUOTA_QPS_DETAIL',
    '5',
    callsPerSecond,
    'Queries for the results of one job a second.',
  ),
  quotaQpsList: variable('QUOTA_QPS_LIST', '5', callsPerSecond, 'Lists a second.'),
  quotaJobs: variable(
    'QUOTA_JOBS',
    '10',
    integer(1, 1000),
    'Jobs open at once in the account, other people’s included.',
  ),
  slotsFullCodes: variable(
    'SLOTS_FULL_CODES',
    null,
    list(/^[A-Za-z0-9._-]{1,100}$/, 'codes (1 to 100 of A-Z a-z 0-9 . _ -)'),
    'Comma-separated further codes by which the provider says that too many jobs are open.',
  ),
  quotaQpsProvisioning: variable(
    'QUOTA_QPS_PROVISIONING',
    '50',
    callsPerSecond,
    'Look-ups of single devices a second.',
  ),
  lookupMaxDevices: variable(
    'LOOKUP_MAX_DEVICES',
    '0',
    integer(0, 10_000),
    'At most this many devices of one job are looked up; 0: no bound. Beyond it they are sent again, also if they have moved.',
  ),
  callTimeoutMs: variable('CALL_TIMEOUT_MS', '20000', integer(100, 600_000), 'Deadline of one call, ms.'),
  createSettleMs: variable(
    'CREATE_SETTLE_MS',
    '60000',
    integer(100, 3_600_000),
    'How long after a create without an answer its job may still appear, ms.',
  ),
  jobOverdueFactor: variable(
    'JOB_OVERDUE_FACTOR',
    '10',
    integer(1, 1000),
    'A job that runs so many times the mean, and at least 30 minutes, is called overdue.',
  ),
  batchMaxDevices: variable('BATCH_MAX_DEVICES', '10000', integer(1, 10_000), 'Largest batch, in moves.'),
  batchMaxWaitMs: variable(
    'BATCH_MAX_WAIT_MS',
    '5000',
    integer(0, 86_400_000),
    'With a free slot, the oldest pending move of a route waits at most this long, ms.',
  ),
  retryMaxAttempts: variable(
    'RETRY_MAX_ATTEMPTS',
    '5',
    integer(1, 1000),
    'Attempts for each move, the first included.',
  ),
  retryBackoffMs: variable(
    'RETRY_BACKOFF_MS',
    '30000',
    durationMs,
    'Wait before the second attempt, ms. It doubles with each attempt, with jitter.',
  ),
  retryBackoffMaxMs: variable(
    'RETRY_BACKOFF_MAX_MS',
    '3600000',
    durationMs,
    'Longest wait between attempts, ms.',
  ),
  resultsCloudEvents: variable(
    'RESULTS_CLOUDEVENTS',
    'true',
    flag,
    'Results carry the ce_ headers of CloudEvents.',
  ),
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
    'Bearer token for what changes state over HTTP. Unset: nothing can be changed.',
  ),
  logLevel: variable(
    'LOG_LEVEL',
    'info',
    choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'JSON lines on stderr from this level on.',
  ),
} as const
