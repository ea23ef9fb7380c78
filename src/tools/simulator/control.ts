import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { type Answer, json } from './answer'
import type { Audit } from './audit'
import type { DeviceRecord, Truth } from './device-truth'
import { type Fault, type FaultTarget, readInjection } from './faults'
import type { ForeignJob } from './foreign-jobs'

/** What other processes may ask the simulator and make it do. It needs no signature and counts against no quota. */
export interface Controls {
  audit(): Audit
  truth(): Truth
  devices(): Iterable<DeviceRecord>
  failNext(operation: FaultTarget, fault: Fault, times?: number): void
  addForeignJob(job?: ForeignJob): string | null
}

export const controlPrefix = '/_simulator/'

const parse = (body: Buffer): unknown => {
  try {
    return body.length === 0 ? {} : JSON.parse(body.toString('utf8'))
  } catch {
    return null
  }
}

const lines = function* (records: Iterable<DeviceRecord>) {
  let block = ''
  for (const record of records) {
    block += `${JSON.stringify(record)}\n`
    if (block.length < 65_536) continue
    yield block
    block = ''
  }
  yield block
}

const answerTo = (controls: Controls, method: string, url: URL, body: Buffer): Answer => {
  switch (`${method} ${url.pathname.slice(controlPrefix.length)}`) {
    case 'GET audit':
      return json(200, controls.audit())
    case 'GET truth':
      return json(200, controls.truth())
    case 'POST fail-next': {
      const injection = readInjection(parse(body))
      if (injection === null)
        return json(400, { problem: 'expected { operation, fault: { kind, … }, times? }' })
      controls.failNext(injection.operation, injection.fault, injection.times)
      return json(200, { injected: injection.times })
    }
    case 'POST foreign-job': {
      const job = parse(body)
      if (typeof job !== 'object' || job === null) return json(400, { problem: 'expected an object' })
      return json(200, { jobId: controls.addForeignJob(job) })
    }
    default:
      return json(404, { problem: 'audit, truth (?devices=1), fail-next or foreign-job' })
  }
}

/** Answers one control call. `GET truth?devices=1` streams one line of JSON for each device. */
export const serveControl = (
  controls: Controls,
  method: string,
  url: URL,
  body: Buffer,
  response: ServerResponse,
): void => {
  if (
    method === 'GET' &&
    url.pathname === `${controlPrefix}truth` &&
    url.searchParams.get('devices') === '1'
  ) {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    Readable.from(lines(controls.devices())).pipe(response)
    return
  }
  const answer = answerTo(controls, method, url, body)
  response.writeHead(answer.status, { 'content-type': answer.contentType }).end(answer.body)
}
