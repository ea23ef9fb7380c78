import { asyncScheduler } from 'rxjs'
import { firstRejections, type Rejection } from '../../../src/domain/request'
import type { AppendReceipt, IntakeJournal, JournalChunk } from '../../../src/ports/journal'
import type { Store } from './store'

/** A rejected request comes again if request, product and device are the same or, without a device, its content is. */
const identity = (
  requestId: string,
  productKey: string | null,
  device: string | readonly unknown[],
): string => JSON.stringify([requestId, productKey, device])
const rejectionKey = ({ requestId, productKey, deviceName, deadLetter, ordinal }: Rejection): string =>
  identity(requestId, productKey, deviceName ?? [Buffer.from(deadLetter).toString('hex'), ordinal])

/** Whether it repeats, badly written, a request that was accepted. */
const isAccepted = (store: Store, { requestId, productKey, deviceName }: Rejection): boolean =>
  productKey !== null &&
  deviceName !== null &&
  (store.places.get(`${productKey}/${deviceName}`) ?? []).some(
    ({ route, seq }) => store.moveAt(route, seq).requestId === requestId,
  )

export const createFakeIntake = (store: Store): IntakeJournal => {
  const sourceKey = (clusterId: string, topic: string, partition: number): string =>
    JSON.stringify([clusterId, topic, partition])

  const append = (chunk: JournalChunk): AppendReceipt => {
    const key = sourceKey(chunk.clusterId, chunk.topic, chunk.partition)
    const from = store.consumed.get(key) ?? 0n
    if (chunk.nextOffset <= from) return { moves: 0, rejections: 0 }
    store.consumed.set(key, chunk.nextOffset)
    const fresh = chunk.rejections.filter(rejection => rejection.position.offset >= from)
    const first = new Set(firstRejections(chunk.requests, fresh))
    const inserted = fresh.filter(rejection => {
      const repeat =
        !first.has(rejection) || store.rejections.has(rejectionKey(rejection)) || isAccepted(store, rejection)
      if (repeat) store.counters.repeatedRejections += 1
      else store.rejections.set(rejectionKey(rejection), rejection)
      return !repeat
    })
    let moves = 0
    for (const request of chunk.requests) {
      if (request.position.offset < from) continue
      const route = store.routeOf(request.route)
      const { requestId, requestedAt, recordedAt, traceparent, position: source } = request
      for (const deviceName of request.deviceNames) {
        if (store.rejections.has(identity(requestId, request.route.productKey, deviceName))) {
          store.counters.repeatedRejections += 1
          continue
        }
        store.counters.acceptances += 1n
        const acceptedOrder = store.counters.acceptances
        store.appendTo(route, {
          acceptedOrder,
          deviceName,
          requestId,
          attempt: 1,
          source,
          requestedAt,
          recordedAt,
          traceparent,
        })
        moves += 1
        route.accepted += 1
      }
    }
    if (inserted.length > 0) {
      store.counters.lastOutboxId += 1n
      const at = new Date(asyncScheduler.now())
      store.outbox.push({ id: store.counters.lastOutboxId, count: inserted.length, rejections: inserted, at })
    }
    store.notify()
    return { moves, rejections: inserted.length }
  }

  return {
    append: chunk => store.transaction(() => append(chunk)),
    positions: (clusterId, topic, partitions) =>
      store.transaction(() => {
        const known = new Map<number, bigint>()
        for (const partition of partitions) {
          const next = store.consumed.get(sourceKey(clusterId, topic, partition))
          if (next !== undefined) known.set(partition, next)
        }
        return known
      }),
  }
}
