import fc from 'fast-check'
import type { Subscription } from 'rxjs'
import { createSlotSemaphore, type Slot, type SlotSemaphore } from '../../../src/operators/semaphore'

/** Enters and keeps the slot that it gets. */
const enter = (slots: SlotSemaphore): { slot: Slot | null; completed: boolean; stop(): void } => {
  const state = { slot: null as Slot | null, completed: false, stop: () => subscription.unsubscribe() }
  const subscription: Subscription = slots.enter().subscribe({
    next: slot => {
      state.slot = slot
    },
    complete: () => {
      state.completed = true
    },
  })
  return state
}

interface Waiting {
  readonly id: number
  subscription: Subscription | null
}

/** Subscribers that enter, leave and release. It keeps its own books to compare the semaphore with. */
const createCrowd = (capacity: number) => {
  const slots = createSlotSemaphore({ capacity })
  let waiting: readonly Waiting[] = []
  let held: readonly Slot[] = []
  let foreign = 0
  let nextId = 0
  // Faults are collected, because an expectation that fails inside a subscriber is reported too late.
  const wrong: string[] = []

  return {
    enter: () => {
      const me: Waiting = { id: nextId, subscription: null }
      nextId += 1
      waiting = [...waiting, me]
      me.subscription = slots.enter().subscribe(slot => {
        if (slots.ownOpen() + foreign > capacity) wrong.push(`${me.id} was let in above the capacity`)
        if (waiting[0] !== me) wrong.push(`${me.id} was let in before ${waiting[0]?.id}`)
        waiting = waiting.filter(other => other !== me)
        held = [...held, slot]
      })
    },
    leave: (n: number) => {
      const gone = waiting[n % waiting.length]
      waiting = waiting.filter(other => other !== gone)
      gone?.subscription?.unsubscribe()
    },
    release: (n: number) => {
      const slot = held[n % held.length]
      held = held.filter(other => other !== slot)
      slot?.release()
    },
    foreign: (n: number) => {
      foreign = n
      slots.foreign(n)
    },
    check: () => {
      expect(wrong).toEqual([])
      expect(slots.ownOpen()).toBe(held.length)
      expect(slots.waiting()).toBe(waiting.length)
      // No subscriber waits while there is room.
      expect(waiting.length > 0 && held.length + foreign < capacity).toBe(false)
    },
  }
}

describe('createSlotSemaphore', () => {
  it('admits as many subscribers as fit, and completes each', () => {
    const slots = createSlotSemaphore({ capacity: 2 })
    const entered = [enter(slots), enter(slots), enter(slots)]
    expect(entered.map(({ slot, completed }) => [slot !== null, completed])).toEqual([
      [true, true],
      [true, true],
      [false, false],
    ])
    expect(slots.ownOpen()).toBe(2)
    expect(slots.waiting()).toBe(1)
  })

  it('admits the next in the queue when a slot is released', () => {
    const slots = createSlotSemaphore({ capacity: 1 })
    const [first, second, third] = [enter(slots), enter(slots), enter(slots)]
    first.slot?.release()
    expect(second.slot).not.toBeNull()
    expect(third.slot).toBeNull()
    second.slot?.release()
    expect(third.slot).not.toBeNull()
  })

  it('releases a slot once, however often release is called', () => {
    const slots = createSlotSemaphore({ capacity: 1 })
    const first = enter(slots)
    first.slot?.release()
    const second = enter(slots)
    first.slot?.release()
    expect(second.slot).not.toBeNull()
    expect(slots.ownOpen()).toBe(1)
    expect(enter(slots).slot).toBeNull()
  })

  it('forgets a subscriber that leaves while waiting', () => {
    const slots = createSlotSemaphore({ capacity: 1 })
    const [first, second, third] = [enter(slots), enter(slots), enter(slots)]
    second.stop()
    expect(slots.waiting()).toBe(1)
    first.slot?.release()
    expect(second.slot).toBeNull()
    expect(third.slot).not.toBeNull()
  })

  it('leaves the slot taken when its subscriber unsubscribes without releasing it', () => {
    const slots = createSlotSemaphore({ capacity: 1 })
    const first = enter(slots)
    first.stop()
    expect(slots.ownOpen()).toBe(1)
    first.slot?.release()
    expect(slots.ownOpen()).toBe(0)
  })

  it('counts other people’s jobs, and admits a subscriber when one of them ends', () => {
    const slots = createSlotSemaphore({ capacity: 3 })
    slots.foreign(3)
    const waiting = enter(slots)
    expect(waiting.slot).toBeNull()
    slots.foreign(2)
    expect(waiting.slot).not.toBeNull()
    expect(slots.foreignOpen()).toBe(2)
  })

  it('admits no one while other people have more jobs open than fit, and takes no slot back', () => {
    const slots = createSlotSemaphore({ capacity: 2 })
    const open = enter(slots)
    slots.foreign(7)
    expect(slots.ownOpen()).toBe(1)
    const waiting = enter(slots)
    open.slot?.release()
    expect(waiting.slot).toBeNull()
    slots.foreign(0)
    expect(waiting.slot).not.toBeNull()
  })

  it('adopts jobs that are open already, even above the capacity', () => {
    const slots = createSlotSemaphore({ capacity: 2 })
    const adopted = [slots.adopt(), slots.adopt(), slots.adopt()]
    const waiting = enter(slots)
    expect(slots.ownOpen()).toBe(3)
    adopted[0]?.release()
    expect(waiting.slot).toBeNull()
    adopted[1]?.release()
    expect(waiting.slot).not.toBeNull()
  })

  it('keeps the stack flat when 20,000 jobs that end at once queue for one slot', () => {
    const slots = createSlotSemaphore({ capacity: 1 })
    const first = enter(slots)
    let done = 0
    for (let i = 0; i < 20_000; i += 1)
      slots.enter().subscribe(slot => {
        done += 1
        slot.release()
      })
    first.slot?.release()
    expect(done).toBe(20_000)
    expect(slots.ownOpen()).toBe(0)
  })

  it('admits none above the capacity, loses no wake-up and keeps the order, whatever happens', () => {
    const kind = fc.constantFrom('enter' as const, 'release' as const, 'leave' as const, 'foreign' as const)
    const actions = fc.array(fc.record({ kind, n: fc.nat({ max: 5 }) }), { maxLength: 60 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), actions, (capacity, sequence) => {
        const crowd = createCrowd(capacity)
        for (const { kind, n } of sequence) {
          crowd[kind](n)
          crowd.check()
        }
      }),
      { numRuns: 500 },
    )
  })
})
