import { asyncScheduler, Observable, Subject, Subscription, startWith, timer } from 'rxjs'
import type { Lease, LeaseState } from '../../src/ports/lease'

/** What several replicas share: who drives, and until when. */
export interface FakeLeaseTable {
  epoch: bigint
  holder: string | null
  readonly freed$: Subject<void>
}

export const createFakeLeaseTable = (): FakeLeaseTable => ({ epoch: 0n, holder: null, freed$: new Subject() })

export interface FakeLease extends Lease {
  /** As if it could not be renewed: the holder stands by, and whoever waits takes over. */
  lose(): void
  stop(): Promise<void>
}

/** A lease in memory, virtual-time safe: given at once when free, passed on in order of waiting. */
export const createFakeLease = (table: FakeLeaseTable, holder: string, quotaWindowMs = 1_000): FakeLease => {
  const lost$ = new Subject<void>()
  const hold = (idle: () => boolean): Observable<LeaseState> =>
    new Observable(subscriber => {
      let mine: bigint | null = null
      let held = Subscription.EMPTY
      const take = (): void => {
        if (mine !== null) return
        if (table.holder !== null) {
          subscriber.next({ kind: 'standing-by', holder: table.holder })
          return
        }
        table.epoch += 1n
        table.holder = holder
        const epoch = table.epoch
        mine = epoch
        held.unsubscribe()
        held = timer(quotaWindowMs).subscribe(() =>
          subscriber.next({ kind: 'held', epoch, mayCall: () => mine === epoch }),
        )
      }
      const give = (): void => {
        if (mine === null) return
        mine = null
        held.unsubscribe()
        table.holder = null
        // Later, as another process would hear of it.
        asyncScheduler.schedule(() => table.freed$.next())
      }
      let waiting = table.freed$.pipe(startWith(undefined)).subscribe(take)
      const losing = lost$.subscribe(() => {
        give()
        // Behind whoever waits already.
        waiting.unsubscribe()
        waiting = table.freed$.subscribe(take)
        subscriber.next({ kind: 'standing-by', holder: null })
      })
      return () => {
        waiting.unsubscribe()
        losing.unsubscribe()
        // Calls under way: it is kept until it runs out, which nobody here waits for.
        if (idle()) give()
        mine = null
        held.unsubscribe()
      }
    })
  return {
    hold,
    lose: () => lost$.next(),
    stop: async () => undefined,
  }
}
