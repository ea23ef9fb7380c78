/** Whether the database still has everything that this process has seen in it. */
import type { Observable } from 'rxjs'

export interface Soundness {
  /**
   * Why nothing may be done on the database: it has lost what this process had seen in it, or a process has stored that
   * all flows stop. null: nothing is known against it. An accepted restore makes it forget what was seen before.
   */
  look(): Observable<string | null>
  /** Stores that all flows of all processes stop, with the first reason that was given. */
  stop(reason: string): Observable<void>
  /**
   * Emits the reason when a connection of the flows meets such a database. The connection is refused with
   * `RestoredDatabaseError`.
   */
  readonly met$: Observable<string>
}
