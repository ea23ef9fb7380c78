import type { SourceRecord } from '../../../src/ports/request-source'
import { createRecordParser } from '../../../src/requests/parse-record'

export const recordedAtMs = Date.UTC(2026, 10, 24, 9)

/** A request that breaks no rule. */
export const goodRequest = {
  requestId: 'fleet-42/0007',
  deviceName: 'meter-000017',
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-060a02m5',
  targetInstanceId: 'iot-cn-6ja9x1',
  targetUid: '1984000000000001',
}

/** A record at device-move.requests/3/1234; text and objects become UTF-8 bytes. */
export const makeRecord = (value: unknown, headers: Readonly<Record<string, string>> = {}): SourceRecord => {
  const bytes = (): Uint8Array | null => {
    if (value === null || value instanceof Uint8Array) return value
    return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  }
  return {
    position: { topic: 'device-move.requests', partition: 3, offset: 1234n },
    key: null,
    value: bytes(),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
    timestampMs: recordedAtMs,
  }
}

export const parse = createRecordParser({ defaultTargetUid: null, defaultTargetAliyunId: null })

/** The good request with some fields changed; undefined leaves one out. */
export const parseWith = (
  changes: Readonly<Record<string, unknown>>,
  headers?: Readonly<Record<string, string>>,
) => parse(makeRecord({ ...goodRequest, ...changes }, headers))

export const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8')
