import pino from 'pino'
import type { FlowEvent } from '../../../src/domain/flow-event'
import { logEvents } from '../../../src/telemetry/logger'

/** The log lines of the events. */
const linesOf = (...events: readonly FlowEvent[]): Record<string, unknown>[] => {
  const lines: Record<string, unknown>[] = []
  const log = logEvents(
    pino(
      { level: 'debug', base: null, timestamp: false, formatters: { level: level => ({ level }) } },
      { write: line => lines.push(JSON.parse(line)) },
    ),
  )
  for (const event of events) log(event)
  return lines
}

describe('log lines of events', () => {
  it('have the kind of the event as text, and its fields as fields', () => {
    expect(
      linesOf(
        { kind: 'job-created', batchId: 3, providerJobId: 'p-1', devices: 10, isSearch: false },
        { kind: 'lease-held', epoch: 12n },
        { kind: 'job-held', batchId: 4, why: 'no file' },
      ),
    ).toEqual([
      { level: 'info', msg: 'job-created', batchId: 3, providerJobId: 'p-1', devices: 10, isSearch: false },
      { level: 'info', msg: 'lease-held', epoch: '12' },
      { level: 'error', msg: 'job-held', batchId: 4, why: 'no file' },
    ])
  })

  it('say once why a step is tried again, and repeat it only at debug', () => {
    const again: FlowEvent = {
      kind: 'retrying',
      flow: 'publish',
      why: 'no broker',
      delayMs: 500,
      isNews: true,
    }
    expect(linesOf(again, { ...again, isNews: false }).map(({ level }) => level)).toEqual(['warn', 'debug'])
  })

  it('show where an error came from', () => {
    const [line] = linesOf({ kind: 'defect', flow: 'drive', error: new TypeError('no such thing') })
    expect(line).toMatchObject({ level: 'error', msg: 'defect', flow: 'drive' })
    expect(line?.err).toMatchObject({ type: 'TypeError', message: 'no such thing' })
  })
})
