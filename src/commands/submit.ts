import { createRecordParser } from '../intake/parse-record'
import { ensureTopics } from '../kafka/ensure-topics'
import { withAdmin } from '../kafka/with-admin'
import type { SourceRecord } from '../ports'
import { defaultTarget, kafkaOptions } from '../wiring'
import { configured } from './configured'
import { exitCode } from './exit-code'
import { openFleet } from './open-fleet'
import { quietLogger } from './quiet-logger'
import { sendRecords } from './send-records'

/** Refused lines shown one by one; the rest only counted. */
const shownRefusals = 10

/** Checks each line by the rules of the service, sends the good ones, and tells of the others. */
export const submitCommand = async (path: string): Promise<number> => {
  const config = configured(['kafkaBrokers'])
  const kafka = kafkaOptions(config, quietLogger(config))
  const fleet = await openFleet(path)
  const parse = createRecordParser(defaultTarget(config))
  const refused = new Map<string, number>()
  let refusals = 0
  let devices = 0
  let sent = 0

  const keyOf = (record: SourceRecord): string | null => {
    const { requests, rejections } = parse(record)
    for (const { code, message, deviceName } of rejections) {
      refusals += 1
      refused.set(code, (refused.get(code) ?? 0) + 1)
      if (refusals <= shownRefusals)
        process.stderr.write(
          `  line ${record.position.offset}${deviceName === null ? '' : ` (${deviceName})`}: ${message}\n`,
        )
    }
    const [request] = requests
    if (request === undefined) return null
    devices += request.deviceNames.length
    return `${request.route.productKey}/${request.deviceNames[0] ?? ''}`
  }

  try {
    if (config.kafkaCreateTopics)
      await withAdmin(kafka, admin => ensureTopics(admin, [config.kafkaRequestsTopic], true))
    await sendRecords({
      fleet,
      kafka,
      topic: config.kafkaRequestsTopic,
      keyOf,
      onSent: records => {
        sent += records
        if (process.stderr.isTTY) process.stderr.write(`\r  ${sent} requests sent`)
      },
    })
  } finally {
    await fleet.close()
  }
  console.log(
    `${sent} requests for ${devices} devices sent to ${config.kafkaRequestsTopic}; ${refusals} refused.`,
  )
  for (const [code, count] of refused) console.log(`  ${code}: ${count}`)
  return refusals > 0 ? exitCode.someFailed : exitCode.done
}
