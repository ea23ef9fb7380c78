import fc from 'fast-check'
import { asyncScheduler } from 'rxjs'
import { createProvider, idle, limiterOf, peak, priority } from './limited-provider'
import { at, now, record, seededRandom, virtually } from './virtual-time'

describe('createRateLimiter, as the provider sees it,', () => {
  it.each([1, 2, 3, 4, 5])(
    'lets no more than the shared quota arrive in any window, and uses all of it (seed %i)',
    seed => {
      virtually(() => {
        const random = seededRandom(seed)
        const provider = createProvider(random)
        const limiter = limiterOf()
        let answeredAt = 0
        for (let i = 0; i < 200; i += 1) {
          const op = priority[i % 3] ?? 'list'
          provider
            .call(op)
            .pipe(limiter.limit(op))
            .subscribe(() => {
              answeredAt = now()
            })
        }
        at(1_000_000, () => {
          expect(provider.arrivals).toHaveLength(200)
          expect(peak(provider.arrivals)).toBe(2)
          // Each of the two tokens is busy for a mean trip of 400 ms and a window: 140 s. Even spacing would take 100 s.
          expect(answeredAt).toBeLessThan(150_000)
          expect(limiter.inUse()).toEqual(idle)
        })
      })
    },
  )

  it.each([1, 2, 3])('keeps each operation to its own quota when there is no shared one (seed %i)', seed => {
    virtually(() => {
      const provider = createProvider(seededRandom(seed))
      const limiter = limiterOf({ shared: 0 })
      for (let i = 0; i < 100; i += 1)
        for (const op of priority) provider.call(op).pipe(limiter.limit(op)).subscribe()
      at(1_000_000, () => {
        expect(provider.arrivals).toHaveLength(300)
        expect(peak(provider.arrivals, 'create')).toBe(2)
        expect(peak(provider.arrivals, 'detail')).toBe(5)
        expect(peak(provider.arrivals, 'list')).toBe(5)
      })
    })
  })

  it('keeps the quota and loses no token, whatever callers do', () => {
    const action = fc.record({
      op: fc.constantFrom(...priority),
      afterMs: fc.integer({ min: 0, max: 3_000 }),
      ends: fc.constantFrom('value' as const, 'error' as const),
      leavesAfterMs: fc.option(fc.integer({ min: 0, max: 5_000 })),
    })
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 30 }),
        fc.constantFrom(0, 2),
        fc.integer(),
        (actions, shared, seed) => {
          virtually(() => {
            const provider = createProvider(seededRandom(seed))
            const limiter = limiterOf({
              shared,
              perOperation: { create: 1, detail: 2, list: 3 },
              deadlineMs: 1_000,
            })
            for (const { op, afterMs, ends, leavesAfterMs } of actions)
              at(afterMs, () => {
                const { stop } = record(provider.call(op, ends).pipe(limiter.limit(op)))
                if (leavesAfterMs !== null) asyncScheduler.schedule(stop, leavesAfterMs)
              })
            at(500_000, () => {
              if (shared > 0) expect(peak(provider.arrivals)).toBeLessThanOrEqual(shared)
              expect(peak(provider.arrivals, 'create')).toBeLessThanOrEqual(1)
              expect(peak(provider.arrivals, 'detail')).toBeLessThanOrEqual(2)
              expect(peak(provider.arrivals, 'list')).toBeLessThanOrEqual(3)
              expect(limiter.inUse()).toEqual(idle)
              expect(limiter.inFlight()).toBe(0)
            })
          })
        },
      ),
      { numRuns: 100 },
    )
  })
})
