import type { Outcome } from '../../src/domain/outcome'
import type { OutboxChunk } from '../../src/ports/journal'

/** A moved device, the `n`-th of its topic; `more` changes fields. */
export const sampleOutcome = (n: number, more: Partial<Outcome> = {}): Outcome => ({
  id: `requests/0/${n}/meter-${n}/1`,
  requestId: `requests/0/${n}`,
  deviceName: `meter-${n}`,
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-060a02m5',
  targetInstanceIds: ['iot-cn-6ja9x1'],
  strategy: 0,
  outcome: 'moved',
  final: true,
  code: '200',
  message: null,
  attempt: 1,
  jobId: 'UbmsMHmkqv0PiAG1010001',
  requestedAt: new Date(1_700_000_000_000),
  settledAt: new Date(1_700_000_060_000),
  source: { topic: 'requests', partition: 0, offset: BigInt(n) },
  recordedAt: new Date(1_699_999_999_000),
  traceparent: null,
  route: null,
  deadLetter: null,
  originalSize: null,
  contentType: null,
  ...more,
})

/** Outcomes `from` to `from + count - 1` as the chunk of outbox row `lastId`. */
export const sampleChunk = (
  lastId: bigint,
  from: number,
  count: number,
  more: Partial<Outcome> = {},
): OutboxChunk => ({
  lastId,
  outcomes: Array.from({ length: count }, (_, at) => sampleOutcome(from + at, more)),
})
