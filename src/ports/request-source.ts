/** Where requests come from: a Kafka topic, or a file. */
import type { Observable } from 'rxjs'
import type { Fingerprint } from '../domain/fingerprint'
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
  /** The life of the topic in which it was read (`StoredPosition`). */
  readonly life: number
  /** At least one, by rising offset. Gaps between offsets are normal. */
  readonly records: readonly SourceRecord[]
  /** Where the partition was read on, then the end of the chunk before this one; null: the journal had no position. */
  readonly continuesFrom: bigint | null
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

/** Where the journal stands in a partition. */
export interface StoredPosition {
  /** The next offset to take in. */
  readonly next: bigint
  /** 1; one more each time that an operator has accepted another log under the same name. */
  readonly life: number
  /** The last record that was taken in; null where no fingerprint was kept. */
  readonly last: Fingerprint | null
  /** Why the partition is not read; null: it is. Only an operator lifts it. */
  readonly stopped: string | null
  /** What the group had committed when a restore was accepted: its commits may lie above `next` up to there. */
  readonly committedBefore: bigint | null
}

/** The journal, as the source of one log sees it. */
export interface SourceBook {
  /** Of each partition that the journal knows. */
  positions(topic: string, partitions: readonly number[]): Observable<ReadonlyMap<number, StoredPosition>>
  /** Moves the position on past records that were deleted before they were read, and counts them. */
  skip(topic: string, partition: number, gap: Gap): Observable<unknown>
  /** Stores that the partition holds another log. */
  stop(topic: string, partition: number, reason: string): Observable<unknown>
}

/** `from` is the position, `to` the first offset that is left. */
export interface Gap {
  readonly from: bigint
  readonly to: bigint
}

/** How far the group has committed. */
export interface CommittedOffsets {
  readonly clusterId: string
  readonly topic: string
  /** The next offset of each partition that has one. */
  readonly offsets: ReadonlyMap<number, bigint>
}

export interface RequestSource {
  /** The name of the log that positions belong to, such as a Kafka cluster's id. Waits until it is known. */
  clusterId(): Observable<string>
  /** What the group has committed. Files commit nothing. Throws `TransientError` while the broker is away. */
  committed(): Observable<CommittedOffsets>
  /**
   * The records of every partition that this process owns. It completes at the end of a file, and never for Kafka.
   *
   * The journal's position says where to read on, not the offset that the broker holds. A partition that holds another
   * log than the one the journal has read is stopped, and `health$` says so. Throws `RestoredDatabaseError` when the
   * journal stands before what the group has committed.
   *
   * The source waits out by itself what waiting can cure. Unsubscribing fails the chunks under way, so none is lost.
   */
  chunks(book: SourceBook): Observable<SourceChunk>
  readonly health$: Observable<SourceHealth>
}
