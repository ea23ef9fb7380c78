import type { Config } from '../config'
import type { FleetFile } from '../files/open-fleet-file'
import { createRecordParser } from '../intake/parse-record'
import { ensureTopics } from '../kafka/ensure-topics'
import { withAdmin } from '../kafka/with-admin'
import type { SourceRecord } from '../ports'
import { defaultTarget, kafkaOptions } from '../wiring'
import { configured } from './configured'
import { CommandError, exitCode } from './exit-code'
import { firstSignal } from './first-signal'
import { kafkaProblem } from './kafka-problem'
import { openFleet } from './open-fleet'
import { quietLogger } from './quiet-logger'
import { createRefusals, type Refusals } from './refusals'
import { sendRecords } from './send-records'
import { createSubmitProgress, type SubmitProgress } from './submit-progress'

const send = async (
  config: Config,
  fleet: FleetFile,
  progress: SubmitProgress,
  refusals: Refusals,
): Promise<void> => {
  const kafka = kafkaOptions(config, quietLogger(config))
  const topic = config.kafkaRequestsTopic
  const parse = createRecordParser(defaultTarget(config))
  const keyOf = (record: SourceRecord): string | null => {
    const { requests, rejections } = parse(record)
    for (const rejection of rejections) refusals.add(rejection)
    const [request] = requests
    if (request === undefined) return null
    progress.taken(request)
    return `${request.route.productKey}/${request.deviceNames[0] ?? ''}`
  }
  await withAdmin(kafka, admin => ensureTopics(admin, [topic], config.kafkaCreateTopics))
  await sendRecords({
    fleet,
    kafka,
    topic,
    keyOf,
    onSent: (requests, lastLine) => {
      progress.sent(requests, lastLine)
      if (process.stderr.isTTY) process.stderr.write(`\r  ${progress.requests()} requests sent`)
    },
  })
}

/** Checks each line by the rules of the service, sends the good ones, and tells of the others. */
export const submitCommand = async (path: string): Promise<number> => {
  const config = configured(['kafkaBrokers'])
  const fleet = await openFleet(path)
  const progress = createSubmitProgress()
  const refusals = createRefusals()
  const interruption = firstSignal().then(() => {
    throw new CommandError('Interrupted.', exitCode.interrupted)
  })
  try {
    await Promise.race([send(config, fleet, progress, refusals), interruption])
  } catch (error) {
    const { message, status } = error instanceof CommandError ? error : kafkaProblem(error, config)
    throw new CommandError(`${message} ${progress.text()}`, status)
  } finally {
    await fleet.close()
  }
  console.log(
    `${progress.requests()} requests for ${progress.devices()} devices sent to ${config.kafkaRequestsTopic}; ` +
      `${refusals.count()} refused.`,
  )
  for (const [code, count] of refusals.byCode()) console.log(`  ${code}: ${count}`)
  return refusals.count() > 0 ? exitCode.someFailed : exitCode.done
}
