import type { Config } from '../../app/config'
import { kafkaOptions } from '../../app/wiring'
import type { FleetFile } from '../../files/fleet-file'
import { ensureTopics, type RequestLogPartition, readRequestLog, withAdmin } from '../../kafka/admin'
import type { Logger } from '../../telemetry/logger'
import { sendRecords } from '../submit/send-records'

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
