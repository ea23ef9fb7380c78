import type { Observable } from 'rxjs'
import type { OutboxChunk } from './journal'

export interface SinkSession {
  /** Where an earlier session left off, by the sink's own memory; null when it has none. */
  readonly position: bigint | null
  /** Results, dead letters and the position, all or nothing. Any error ends the session: open another. */
  publish(chunk: OutboxChunk): Observable<void>
}
export interface OutcomeSink {
  /**
   * Opens the one writing session and fences any older one. Emits once and stays open until unsubscribed.
   * Throws `TransientError` for what another session may cure.
   */
  open(): Observable<SinkSession>
  /** Where the last session left off, asked without opening one; null when the sink remembers none. */
  position(): Observable<bigint | null>
}
