/** `device-move submit`: checks each line by the rules of the service, sends the good ones, and reports the others. */
import type { Config } from '../../app/config'
import { defaultTarget, kafkaOptions } from '../../app/wiring'
import { type MoveRequest, positionText, type Rejection } from '../../domain/request'
import type { FleetFile } from '../../files/fleet-file'
import { ensureTopics, withAdmin } from '../../kafka/admin'
import type { SourceRecord } from '../../ports/request-source'
import { createRecordParser } from '../../requests/parse-record'
import { configured, quietLogger } from '../configured'
import { CommandError, exitCode } from '../exit-code'
import { kafkaProblem } from '../problems'
import { firstSignal } from '../process-end'
import { openFleet, sendRecords } from './send-records'

/** This many refused lines are shown one by one. The rest is only counted. */
const maxShown = 10

/** The lines of a list that no service would accept. */
export interface Refusals {
  /** Counts the refusal. The first ones are also shown on stderr. */
  readonly add: (rejection: Rejection) => void
  readonly count: () => number
  readonly byCode: () => ReadonlyMap<string, number>
}

const createRefusals = (): Refusals => {
  const byCode = new Map<string, number>()
  let count = 0
  return {
    add: ({ code, message, deviceName, position }) => {
      count += 1
      byCode.set(code, (byCode.get(code) ?? 0) + 1)
      const device = deviceName === null ? '' : ` (${deviceName})`
      if (count <= maxShown) process.stderr.write(`  line ${position.offset}${device}: ${message}\n`)
    },
    count: () => count,
    byCode: () => byCode,
  }
}

/** How far a list has been sent, and how to go on from there if the command ends early. */
export interface SubmitProgress {
  /** Counts a good line of the list that is about to be sent. */
  readonly taken: (request: MoveRequest) => void
  /** Counts requests that are acknowledged. Every line up to `lastLine` is done with. */
  readonly sent: (requests: number, lastLine: bigint) => void
  readonly requests: () => number
  readonly devices: () => number
  /** What is certain when the command ends early, and what to send again. */
  readonly text: () => string
}

export const createSubmitProgress = (): SubmitProgress => {
  let [requests, devices, unnamed, lastLine] = [0, 0, 0, 0n]

  /** What to send again. A requestId is taken once; a line without one is a new request each time it is sent. */
  const again = (): string => {
    if (unnamed === 0) return 'Send the same list again: a requestId is taken only once.'
    const because = `${unnamed} so far name no requestId, so each time they are sent they are new requests.`
    return lastLine === 0n
      ? `Look into the topic before you send them again: ${because}`
      : `Send the lines after it again, not those before: ${because}`
  }

  return {
    taken: ({ deviceNames, requestId, position }) => {
      devices += deviceNames.length
      if (requestId === positionText(position)) unnamed += 1
    },
    sent: (more, line) => {
      requests += more
      lastLine = line
    },
    requests: () => requests,
    devices: () => devices,
    text: () => {
      if (devices === 0) return 'Nothing was sent.'
      const acknowledged =
        lastLine === 0n
          ? 'No request was acknowledged; some may have been written.'
          : `${requests} requests were acknowledged, up to line ${lastLine}; some after it may have been written.`
      return `${acknowledged} ${again()}`
    },
  }
}

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
