import type { Config } from '../config'
import type { FleetFile } from '../files/open-fleet-file'
import { ensureTopics } from '../kafka/ensure-topics'
import { type RequestLogPartition, readRequestLog } from '../kafka/request-log'
import { withAdmin } from '../kafka/with-admin'
import type { Logger } from '../telemetry/logger'
import { kafkaOptions } from '../wiring'
import { sendRecords } from './send-records'

export interface SentFleet {
  readonly requests: number
  /** The requests topic with all of them in it. */
  readonly partitions: readonly RequestLogPartition[]
}

/** Sends a list as an upstream system would, its mistakes included, to topics that are made where they are missing. */
export const sendDemoFleet = async (fleet: FleetFile, config: Config, logger: Logger): Promise<SentFleet> => {
  const { kafkaRequestsTopic: topic, kafkaResultsTopic, kafkaDeadLetterTopic } = config
  const kafka = kafkaOptions(config, logger)
  await withAdmin(kafka, admin => ensureTopics(admin, [topic, kafkaResultsTopic, kafkaDeadLetterTopic], true))
  let requests = 0
  await sendRecords({
    ...{ fleet, kafka, topic },
    keyOf: record => `${record.position.offset}`,
    onSent: records => {
      requests += records
    },
  })
  const { partitions } = await withAdmin(kafka, admin => readRequestLog(admin, topic, config.kafkaGroupId))
  return { requests, partitions }
}
