import type { Observable } from 'rxjs'

export type LeaseState =
  /** `mayCall`: whether the lease surely stands at this moment. Asked last, right before a call has left. */
  | { readonly kind: 'held'; readonly epoch: bigint; readonly mayCall: () => boolean }
  | { readonly kind: 'standing-by'; readonly holder: string | null }
export interface Lease {
  /**
   * Tries for as long as it is subscribed; emits at every change of hands. `held` is emitted only once one quota
   * window has passed since it was acquired. Unsubscribing releases it when `idle()` says that no call is under way.
   */
  hold(idle: () => boolean): Observable<LeaseState>
}
