import { asyncScheduler, Observable, Subject, Subscription, startWith, timer } from 'rxjs'
import type { Lease, LeaseState } from '../../src/ports/lease'

/** What several replicas share: which of them drives, and in which epoch. */
export interface FakeLeaseTable {
  epoch: bigint
  holder: string | null
  readonly freed$: Subject<void>
}

export const createFakeLeaseTable = (): FakeLeaseTable => ({ epoch: 0n, holder: null, freed$: new Subject() })

export interface FakeLease extends Lease {
  /** Takes the lease from its holder, as if it could not be renewed. A replica that waits takes over. */
  lose(): void
  stop(): Promise<void>
}

/** A lease in memory, for virtual time. A free lease is given at once; a freed one goes to the replica that waited longest. */
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
        // Another process learns of it later.
        asyncScheduler.schedule(() => table.freed$.next())
      }
      let waiting = table.freed$.pipe(startWith(undefined)).subscribe(take)
      const losing = lost$.subscribe(() => {
        give()
        // It queues behind the replicas that wait already.
        waiting.unsubscribe()
        waiting = table.freed$.subscribe(take)
        subscriber.next({ kind: 'standing-by', holder: null })
      })
      return () => {
        waiting.unsubscribe()
        losing.unsubscribe()
        // With calls under way the lease is kept until it runs out; no test waits for that.
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
