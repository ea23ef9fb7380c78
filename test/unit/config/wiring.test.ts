import pino from 'pino'
import { type Config, loadConfig } from '../../../src/app/config'
import { defaultTarget, kafkaOptions, outcomeSinkOptions, policies, quota } from '../../../src/app/wiring'
import { sampleOutcome } from '../../support/sample-outcome'

const logger = pino({ level: 'silent' })

const configOf = (environment: Record<string, string>): Config => {
  const loaded = loadConfig(environment)
  if (!loaded.ok) throw new Error(loaded.problems.join('; '))
  return loaded.config
}

/** No two variables have the same value, so none can stand in for another. */
describe('every variable of the configuration reaches', () => {
  it('the quota', () => {
    const config = configOf({
      QUOTA_QPS: '21',
      QUOTA_QPS_CREATE: '22',
      QUOTA_QPS_QUERY: '23',
      QUOTA_QPS_DETAIL: '24',
      QUOTA_QPS_LIST: '25',
      QUOTA_QPS_PROVISIONING: '26',
    })
    expect(quota(config)).toEqual({
      shared: 21,
      perOperation: { create: 22, query: 23, detail: 24, list: 25, provisioning: 26 },
    })
  })

  it('the driver', () => {
    const config = configOf({
      QUOTA_JOBS: '31',
      CREATE_SETTLE_MS: '3200',
      RETRY_MAX_ATTEMPTS: '33',
      RETRY_BACKOFF_MS: '340',
      RETRY_BACKOFF_MAX_MS: '350',
      LOOKUP_MAX_DEVICES: '36',
      JOB_OVERDUE_FACTOR: '37',
    })
    expect(policies(config)).toMatchObject({
      quotaJobs: 31,
      createSettleMs: 3_200,
      attempts: { maxAttempts: 33, backoffMs: 340, backoffMaxMs: 350 },
      lookUpMaxDevices: 36,
      overdueFactor: 37,
    })
  })

  it('requests that name no account', () => {
    expect(defaultTarget(configOf({ TARGET_UID: '41' }))).toEqual({
      defaultTargetUid: '41',
      defaultTargetAliyunId: null,
    })
    expect(defaultTarget(configOf({ TARGET_ALIYUN_ID: 'a@b' }))).toEqual({
      defaultTargetUid: null,
      defaultTargetAliyunId: 'a@b',
    })
  })

  it('the clients of Kafka', () => {
    const config = configOf({
      KAFKA_BROKERS: 'one:9092,two:9093',
      KAFKA_CLIENT_ID: 'client',
      KAFKA_SSL: 'true',
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'user',
      KAFKA_SASL_PASSWORD: 'password',
    })
    expect(kafkaOptions(config, logger)).toMatchObject({
      brokers: ['one:9092', 'two:9093'],
      clientId: 'client',
      tls: { caFile: null, certFile: null, keyFile: null, checkHostname: true },
      sasl: { mechanism: 'scram-sha-512', username: 'user', password: 'password' },
    })
    expect(kafkaOptions(configOf({}), logger)).toMatchObject({ tls: undefined, sasl: undefined })
  })

  it('the publisher', () => {
    const config = configOf({
      KAFKA_TRANSACTIONAL_ID: 'transactional',
      KAFKA_RESULTS_TOPIC: 'results',
      KAFKA_DEAD_LETTER_TOPIC: 'dead',
      KAFKA_CREATE_TOPICS: 'true',
    })
    expect(outcomeSinkOptions(config, logger)).toMatchObject({
      transactionalId: 'transactional',
      resultsTopic: 'results',
      deadLetterTopic: 'dead',
      createTopics: true,
    })
  })

  it.each([
    ['true', true],
    ['false', false],
  ])('the headers of results: RESULTS_CLOUDEVENTS=%s', (text, isEvent) => {
    const { encode } = outcomeSinkOptions(configOf({ RESULTS_CLOUDEVENTS: text }), logger)
    expect('ce_id' in encode(sampleOutcome(1)).result.headers).toBe(isEvent)
  })
})
