import type { Observable } from 'rxjs'
import type { SourcePosition } from '../domain/request'

/** One record as it was read, nothing interpreted. */
export interface SourceRecord {
  readonly position: SourcePosition
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** Header names in lower case; of a repeated header the first. */
  readonly headers: Readonly<Record<string, Uint8Array>>
  /** When the record was made, ms since 1970. */
  readonly timestampMs: number
}
/**
 * Consecutive records of one partition. The source offers no further chunk of that partition before `done` or
 * `fail` is called, exactly once: that is the back-pressure. `done`: all of it is durable, commit it. `fail`: none
 * of it is to be committed; it will be offered again.
 */
export interface SourceChunk {
  readonly topic: string
  readonly partition: number
  /** At least one, by rising offset (gaps are normal). */
  readonly records: readonly SourceRecord[]
  done(): void
  fail(reason: unknown): void
}
export interface SourceHealth {
  readonly state: 'starting' | 'assigned' | 'standing-by' | 'failed'
  /** For people; null when all is well. */
  readonly reason: string | null
}
export interface RequestSource {
  /** Names the log that positions belong to (a Kafka cluster's id). Waits until it is known. */
  clusterId(): Observable<string>
  /**
   * Every partition this process owns, as chunks. Never completes for Kafka; completes at the end of a file.
   * `positions` gives where to read on (the journal's word counts, not the broker's committed offset); a position
   * beyond the partition's end stops that partition and says so in `health$`.
   * Survives by itself what waiting can cure. Unsubscribing stops it: chunks under way are failed, none is lost.
   */
  chunks(
    positions: (topic: string, partitions: readonly number[]) => Observable<ReadonlyMap<number, bigint>>,
  ): Observable<SourceChunk>
  readonly health$: Observable<SourceHealth>
}
