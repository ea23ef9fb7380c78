import { asyncScheduler } from 'rxjs'
import { firstRejections, type Rejection } from '../../../src/domain/request'
import { lostText, RestoredDatabaseError } from '../../../src/domain/restored-database'
import { StoppedPartitionError } from '../../../src/ports/errors'
import type { AppendReceipt, IntakeJournal, JournalChunk, LogPartition } from '../../../src/ports/journal'
import type { StoredPosition } from '../../../src/ports/request-source'
import type { ConsumedRow, Store } from './store'

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

export const sourceKey = ({ clusterId, topic, partition }: LogPartition): string =>
  JSON.stringify([clusterId, topic, partition])

const neverRead = { next: 0n, life: 1, last: null, stopped: null, committedBefore: null, lostRecords: 0n }

export const createFakeIntake = (store: Store): IntakeJournal => {
  const known = (log: LogPartition): ConsumedRow =>
    store.consumed.get(sourceKey(log)) ?? { ...neverRead, sourceId: store.consumed.size + 1 }

  const check = (chunk: JournalChunk): void => {
    if (store.counters.stopped !== null) throw new RestoredDatabaseError(store.counters.stopped)
    const stored = store.consumed.get(sourceKey(chunk))
    if (stored !== undefined && stored.stopped !== null) throw new StoppedPartitionError(stored.stopped)
    if (stored !== undefined && stored.life !== chunk.life)
      throw new StoppedPartitionError(`read in life ${chunk.life} instead of ${stored.life}`)
    if (chunk.continuesFrom !== null && (stored === undefined || stored.next < chunk.continuesFrom))
      throw new RestoredDatabaseError(lostText(`stored up to ${chunk.continuesFrom}, not ${stored?.next}`))
  }

  const append = (chunk: JournalChunk): AppendReceipt => {
    check(chunk)
    const stored = known(chunk)
    const from = stored.next
    if (chunk.nextOffset <= from) return { moves: 0, rejections: 0 }
    const { nextOffset: next, last } = chunk
    const before = stored.committedBefore
    const committedBefore = before !== null && before > next ? before : null
    store.consumed.set(sourceKey(chunk), { ...stored, next, last, committedBefore })
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
        const found = new Map<number, StoredPosition>()
        for (const partition of partitions) {
          const stored = store.consumed.get(sourceKey({ clusterId, topic, partition }))
          if (stored !== undefined) found.set(partition, stored)
        }
        return found
      }),
    skip: (log, { from, to }) =>
      store.transaction(() => {
        const stored = known(log)
        if (stored.next < from)
          throw new RestoredDatabaseError(lostText(`stored up to ${from}, not ${stored.next}`))
        if (stored.next >= to) return
        const lostRecords = stored.lostRecords + to - stored.next
        store.consumed.set(sourceKey(log), { ...stored, next: to, lostRecords })
      }),
    stop: (log, reason) =>
      store.transaction(() => {
        const stored = known(log)
        store.consumed.set(sourceKey(log), { ...stored, stopped: stored.stopped ?? reason })
      }),
  }
}
