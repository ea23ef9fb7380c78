/** Where requests come from: a Kafka topic, or a file. */
import type { Observable } from 'rxjs'
import type { SourcePosition } from '../domain/request'

/** One record as it was read, with nothing interpreted. */
export interface SourceRecord {
  readonly position: SourcePosition
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** By header name in lower case. Of a repeated header it is the first. */
  readonly headers: Readonly<Record<string, Uint8Array>>
  /** When the record was made, ms since 1970. */
  readonly timestampMs: number
}

/**
 * Consecutive records of one partition. Exactly one of `done` and `fail` is called, once. The source offers no further
 * chunk of the partition before that, which is the back-pressure.
 */
export interface SourceChunk {
  readonly topic: string
  readonly partition: number
  /** At least one, by rising offset. Gaps between offsets are normal. */
  readonly records: readonly SourceRecord[]
  /** All of it is durable: its offset may be committed. */
  done(): void
  /** None of it may be committed. The source offers it again. */
  fail(reason: unknown): void
}

export interface SourceHealth {
  readonly state: 'starting' | 'assigned' | 'standing-by' | 'failed'
  /** For people; null when all is well. */
  readonly reason: string | null
}

export interface RequestSource {
  /** The name of the log that positions belong to, such as a Kafka cluster's id. Waits until it is known. */
  clusterId(): Observable<string>
  /**
   * The records of every partition that this process owns. It completes at the end of a file, and never for Kafka.
   *
   * `positions` gives the offset to read on from. The journal's answer counts, not the offset that the broker holds. A
   * position beyond the partition's end stops that partition, and `health$` says so.
   *
   * The source waits out by itself what waiting can cure. Unsubscribing fails the chunks under way, so none is lost.
   */
  chunks(
    positions: (topic: string, partitions: readonly number[]) => Observable<ReadonlyMap<number, bigint>>,
  ): Observable<SourceChunk>
  readonly health$: Observable<SourceHealth>
}
