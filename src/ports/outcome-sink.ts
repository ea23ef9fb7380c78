/** Where outcomes are published: the results and dead-letter topics. */
import type { Observable } from 'rxjs'
import type { OutboxChunk } from './journal'

export interface SinkSession {
  /** The position that the sink remembers from earlier sessions; null when it remembers none. */
  readonly position: bigint | null
  /** Writes results, dead letters and the position, all or nothing. After any error the session is over. */
  publish(chunk: OutboxChunk): Observable<void>
}

export interface OutcomeSink {
  /**
   * Opens the one writing session and fences every older one. It emits once and stays open until unsubscribed. It
   * throws `TransientError` for what another session may cure.
   */
  open(): Observable<SinkSession>
  /** The remembered position, read without opening a session; null when the sink remembers none. */
  position(): Observable<bigint | null>
}
