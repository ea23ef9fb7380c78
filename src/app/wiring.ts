/** Makes the options of each adapter and flow from the configuration. Nothing is decided here. */
import { createEncodeOutcome } from '../domain/outcome-records'
import { defaultRefusalPolicy } from '../domain/refusal'
import type { DrivePolicies } from '../flows/drive-options'
import { createJobApi } from '../iot/client/provider-job-api'
import type { KafkaOptions } from '../kafka/kafka-client'
import type { OutcomeSinkOptions } from '../kafka/publisher/kafka-outcome-sink'
import type { JobApi } from '../ports/job-api'
import type { DefaultTarget } from '../requests/parse-record'
import type { Logger } from '../telemetry/logger'
import type { Config } from './config'
import type { ServiceParts } from './service'

/** A batch rests this long after an unforeseen error, ms. */
const restMs = 5_000

/** Variables that a command needs to call the provider. */
export const providerVariables = ['accessKeyId', 'accessKeySecret'] as const

export const kafkaOptions = (config: Config, logger: Logger): KafkaOptions => {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword: password } = config
  return {
    brokers: config.kafkaBrokers ?? [],
    clientId: config.kafkaClientId,
    tls: config.kafkaSsl
      ? {
          caFile: config.kafkaSslCa,
          certFile: config.kafkaSslCert,
          keyFile: config.kafkaSslKey,
          checkHostname: config.kafkaSslCheckHostname,
        }
      : undefined,
    sasl:
      mechanism !== null && username !== null && password !== null
        ? { mechanism, username, password }
        : undefined,
    log: (level, text, fields) => logger[level](fields, text),
  }
}

export const outcomeSinkOptions = (config: Config, logger: Logger): OutcomeSinkOptions => ({
  kafka: kafkaOptions(config, logger),
  transactionalId: config.kafkaTransactionalId,
  resultsTopic: config.kafkaResultsTopic,
  deadLetterTopic: config.kafkaDeadLetterTopic,
  createTopics: config.kafkaCreateTopics,
  encode: createEncodeOutcome({ cloudEvents: config.resultsCloudEvents }),
})

/** The provider's API. A call leaves only while `maySend` allows it. */
export const jobApi =
  (config: Config) =>
  (maySend: () => boolean): JobApi =>
    createJobApi({
      maySend,
      accessKeyId: config.accessKeyId ?? '',
      accessKeySecret: config.accessKeySecret ?? '',
      ...(config.securityToken === null ? {} : { securityToken: config.securityToken }),
      endpoint: config.iotEndpoint,
      callTimeoutMs: config.callTimeoutMs,
      resultFileHosts: config.resultFileHosts,
      slotsFullCodes: config.slotsFullCodes ?? [],
    })

export const defaultTarget = (config: Config): DefaultTarget => ({
  defaultTargetUid: config.targetUid,
  defaultTargetAliyunId: config.targetAliyunId,
})

export const quota = (config: Config): ServiceParts['quota'] => ({
  shared: config.quotaQps,
  perOperation: {
    create: config.quotaQpsCreate,
    query: config.quotaQpsQuery,
    detail: config.quotaQpsDetail,
    list: config.quotaQpsList,
    provisioning: config.quotaQpsProvisioning,
  },
})

export const policies = (config: Config): DrivePolicies => ({
  quotaJobs: config.quotaJobs,
  createSettleMs: config.createSettleMs,
  attempts: {
    maxAttempts: config.retryMaxAttempts,
    backoffMs: config.retryBackoffMs,
    backoffMaxMs: config.retryBackoffMaxMs,
  },
  refusals: defaultRefusalPolicy,
  lookUpMaxDevices: config.lookupMaxDevices,
  overdueFactor: config.jobOverdueFactor,
  restMs,
})
