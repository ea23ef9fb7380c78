import { EMPTY, endWith, ignoreElements, map, type Observable, of } from 'rxjs'
import { fingerprintOf } from '../../src/domain/fingerprint'
import { RestoredDatabaseError } from '../../src/domain/restored-database'
import { type LogState, offsetToCompare, placeOf } from '../../src/kafka/consumer/place'
import type { SourceBook, SourceRecord, StoredPosition } from '../../src/ports/request-source'

/** A partition in memory. The record at offset n is `records[n]`. */
export interface LogInMemory {
  readonly records: readonly SourceRecord[]
  readonly low: bigint
  readonly committed: bigint | null
}

export type Placed =
  | {
      readonly kind: 'read'
      readonly offset: bigint
      readonly continuesFrom: bigint | null
      readonly life: number
    }
  | { readonly kind: 'held'; readonly reason: string }

export const endOf = ({ records }: Pick<LogInMemory, 'records'>): bigint => BigInt(records.length)

const stateOf = (log: LogInMemory, stored: StoredPosition | undefined): LogState => {
  const marks = { low: log.low, high: endOf(log) }
  const offset = offsetToCompare(stored, marks)
  const record = log.records[Number(offset ?? -1n)]
  const there = record === undefined ? null : fingerprintOf(record)
  return {
    ...marks,
    committed: log.committed,
    there: offset === null ? 'unasked' : there,
    isCompacted: false,
  }
}

/** Places a partition by the rule of the Kafka source, and tells the book what it has to know. */
export const placeInMemory = (
  topic: string,
  partition: number,
  log: LogInMemory,
  stored: StoredPosition | undefined,
  book: SourceBook,
): Observable<Placed> => {
  const place = placeOf(`${topic}/${partition}`, stored, stateOf(log, stored))
  switch (place.kind) {
    case 'at':
      return of({ ...place, kind: 'read' })
    case 'after-gap': {
      const { to } = place.gap
      return book
        .skip(topic, partition, place.gap)
        .pipe(map(() => ({ kind: 'read', offset: to, continuesFrom: to, life: place.life })))
    }
    case 'another-log':
      return book
        .stop(topic, partition, place.reason)
        .pipe(ignoreElements(), endWith({ kind: 'held' as const, reason: place.reason }))
    case 'stopped':
      return of({ kind: 'held', reason: place.reason })
    case 'lost':
      throw new RestoredDatabaseError(place.reason)
    default:
      return EMPTY
  }
}
