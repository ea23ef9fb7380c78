import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { Audit } from '../../src/tools/simulator/audit'
import type { DeviceRecord, Truth } from '../../src/tools/simulator/device-truth'
import type { Deployment } from '../support/deployment'
import { eachRecord } from '../support/read-topic'
import type { Asked } from './fleet'
import { createResultsCheck, type Result, type ResultsSummary } from './results-check'
import { checkTruth, type TruthSummary } from './truth-check'

export interface Verdict {
  readonly conservation: Readonly<Record<string, number>>
  readonly results: ResultsSummary
  readonly deadLetters: number
  readonly truth: Truth
  readonly devices: TruthSummary
  readonly audit: Audit
}

const readDevices = async (simulatorUrl: string): Promise<Map<string, DeviceRecord>> => {
  const devices = new Map<string, DeviceRecord>()
  const { body } = await fetch(`${simulatorUrl}/_simulator/truth?devices=1`)
  if (body === null) throw new Error('the simulator tells nothing of its devices')
  for await (const line of createInterface({ input: Readable.fromWeb(body) })) {
    if (line === '') continue
    const device = JSON.parse(line) as DeviceRecord
    devices.set(device.deviceName, device)
  }
  return devices
}

/** Compares the requests with the database, both topics, and what the provider did and saw. */
export const judge = async (deployment: Deployment, everything: Iterable<Asked>): Promise<Verdict> => {
  const check = createResultsCheck(everything)
  await eachRecord(deployment.topics.results, ({ value }) => check.add(JSON.parse(String(value)) as Result))
  let deadLetters = 0
  await eachRecord(deployment.topics.deadLetters, () => {
    deadLetters += 1
  })
  return {
    conservation: await deployment.conservation(),
    results: check.summary(),
    deadLetters,
    truth: (await deployment.truth()) as unknown as Truth,
    devices: checkTruth(check.devices(), await readDevices(deployment.simulatorUrl)),
    audit: (await deployment.audit()) as unknown as Audit,
  }
}
