import { filter, firstValueFrom, ReplaySubject, type Subscription } from 'rxjs'
import type { Lease, LeaseState } from '../../src/ports/lease'

export interface LeaseHarness {
  /** A replica that wants the lease of this harness. */
  replica(holder: string): Lease & { stop(): Promise<void> }
  close(): Promise<void>
}

type Held = Extract<LeaseState, { kind: 'held' }>

/** What every implementation of the lease promises. */
export const leaseContract = (name: string, open: () => Promise<LeaseHarness>): void => {
  describe(`the lease (${name})`, () => {
    let harness: LeaseHarness
    const subscriptions: Subscription[] = []

    const contend = (holder: string, idle = true) => {
      const lease = harness.replica(holder)
      const states$ = new ReplaySubject<LeaseState>()
      const subscription = lease.hold(() => idle).subscribe(states$)
      subscriptions.push(subscription)
      return {
        held: () => firstValueFrom(states$.pipe(filter((state): state is Held => state.kind === 'held'))),
        standingBy: (whose: string) =>
          firstValueFrom(
            states$.pipe(filter(state => state.kind === 'standing-by' && state.holder === whose)),
          ),
        giveBack: async () => {
          subscription.unsubscribe()
          await lease.stop()
        },
      }
    }

    beforeEach(async () => {
      harness = await open()
    })
    afterEach(async () => {
      for (const subscription of subscriptions.splice(0)) subscription.unsubscribe()
      await harness.close()
    })

    it('is held by one process, which may call the provider', async () => {
      const { mayCall } = await contend('one').held()
      expect(mayCall()).toBe(true)
    })

    it('tells the others who holds it', async () => {
      await contend('one').held()
      expect(await contend('two').standingBy('one')).toEqual({ kind: 'standing-by', holder: 'one' })
    })

    it('passes on with a higher epoch when it is given back, and the old holder may not call', async () => {
      const one = contend('one')
      const first = await one.held()
      const two = contend('two')
      await two.standingBy('one')
      await one.giveBack()
      expect(first.mayCall()).toBe(false)
      const second = await two.held()
      expect(second.epoch).toBeGreaterThan(first.epoch)
      expect(second.mayCall()).toBe(true)
    })
  })
}
