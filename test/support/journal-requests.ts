/** Makes requests and chunks for tests of the journal. */
import { rejectionOutcomeId } from '../../src/domain/outcome'
import type { MoveRequest, Rejection } from '../../src/domain/request'
import type { RouteFields } from '../../src/domain/route'
import type { JournalChunk } from '../../src/ports/journal'

export const routeTo = (target: string, more: Partial<RouteFields> = {}): RouteFields => ({
  productKey: 'a1Product',
  sourceInstanceId: 'iot-source',
  strategy: 0,
  targetInstanceIds: [target],
  targetUid: '1984',
  targetAliyunId: null,
  priority: 'normal',
  ...more,
})

export interface RequestSpec {
  readonly requestId: string
  readonly route?: RouteFields
  readonly devices: readonly string[]
}

export const requestedAt = new Date('2026-11-24T08:00:00.123Z')
export const recordedAt = new Date('2026-11-24T08:00:01.456Z')

/** Consecutive records of one partition: requests from `offset` on, then rejections. */
export const chunkOf = (
  offset: bigint,
  requests: readonly RequestSpec[],
  rejected: readonly Partial<Rejection>[] = [],
  partition = 0,
): JournalChunk => {
  const topic = 'requests'
  const at = (index: number) => ({ topic, partition, offset: offset + BigInt(index) })
  return {
    clusterId: 'cluster',
    topic,
    partition,
    life: 1,
    // What lies below the stored position is left out, so such a chunk may be appended anywhere.
    continuesFrom: null,
    nextOffset: offset + BigInt(requests.length + rejected.length),
    last: null,
    requests: requests.map(
      ({ requestId, route, devices }, index): MoveRequest => ({
        position: at(index),
        requestId,
        route: route ?? routeTo('iot-target'),
        deviceNames: devices,
        requestedAt,
        recordedAt,
        traceparent: null,
      }),
    ),
    rejections: rejected.map(
      (more, index): Rejection => ({
        id: rejectionOutcomeId(at(requests.length + index), more.deviceName ?? null, more.ordinal ?? 0),
        position: at(requests.length + index),
        ordinal: 0,
        requestId: `requests/${partition}/${offset + BigInt(requests.length + index)}`,
        productKey: null,
        deviceName: null,
        sourceInstanceId: null,
        targetInstanceIds: null,
        strategy: null,
        code: 'invalid_json',
        message: 'not JSON',
        requestedAt,
        recordedAt,
        traceparent: null,
        deadLetter: Buffer.from([0, 255, 1]),
        originalSize: 3,
        contentType: 'application/cloudevents+json',
        ...more,
      }),
    ),
  }
}
