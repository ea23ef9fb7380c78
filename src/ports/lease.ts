/** The right to drive one account, and the number that fences an old holder. */
import type { Observable } from 'rxjs'

export interface HeldLease {
  readonly kind: 'held'
  /** Grows with every holder. */
  readonly epoch: bigint
  /** Whether the lease surely stands at this moment. It is asked right before the last byte of a call leaves. */
  readonly mayCall: () => boolean
}

export type LeaseState = HeldLease | { readonly kind: 'standing-by'; readonly holder: string | null }

export interface Lease {
  /**
   * Tries for as long as it is subscribed, and emits at every change of hands. `held` is emitted one quota window
   * after the lease was acquired, so that the last holder's calls have left the provider's window. Unsubscribing
   * releases the lease if `idle()` says that no call is under way; otherwise the lease runs out.
   */
  hold(idle: () => boolean): Observable<LeaseState>
}
