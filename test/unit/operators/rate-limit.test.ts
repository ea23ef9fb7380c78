import fc from 'fast-check'
import { asyncScheduler, concatMap, EMPTY, NEVER, Observable, of, Subject, throwError, timer } from 'rxjs'
import {
  createRateLimiter,
  type RateLimiter,
  type RateLimiterOptions,
} from '../../../src/operators/rate-limit'
import { at, now, record, seededRandom, virtually } from './virtual-time'

type Op = 'create' | 'detail' | 'list'

const windowMs = 1_000
const deadlineMs = 20_000
const priority: readonly Op[] = ['create', 'detail', 'list']

const limiterOf = (options: Partial<RateLimiterOptions<Op>> = {}): RateLimiter<Op> =>
  createRateLimiter<Op>({
    shared: 2,
    perOperation: { create: 2, detail: 5, list: 5 },
    priority,
    windowMs,
    marginMs: 0,
    deadlineMs,
    ...options,
  })

interface Arrival {
  readonly op: Op
  readonly at: number
}

/** Counts what reaches it. It owns its wire: a caller that goes away stops nothing. */
const createProvider = (random: () => number, maxTripMs = 400) => {
  const arrivals: Arrival[] = []
  const call = (op: Op, ends: 'value' | 'error' = 'value') =>
    new Observable<Op>(subscriber => {
      const thereMs = random() * maxTripMs
      const backMs = random() * maxTripMs
      timer(thereMs).subscribe(() => arrivals.push({ op, at: now() }))
      timer(thereMs + backMs).subscribe(() => {
        if (ends === 'error') subscriber.error(new Error('503'))
        subscriber.next(op)
        subscriber.complete()
      })
    })
  return { arrivals, call }
}

/** The most arrivals in any window, its end excluded. */
const peak = (arrivals: readonly Arrival[], op?: Op): number => {
  const times = arrivals
    .filter(arrival => op === undefined || arrival.op === op)
    .map(arrival => arrival.at)
    .sort((a, b) => a - b)
  return Math.max(0, ...times.map(end => times.filter(time => time > end - windowMs && time <= end).length))
}

const idle = {
  shared: 0,
  perOperation: { create: 0, detail: 0, list: 0 },
  waiting: { create: 0, detail: 0, list: 0 },
}

describe('createRateLimiter', () => {
  it('starts as many calls as there are tokens at once, and the next a window after an answer', () => {
    virtually(() => {
      const limiter = limiterOf()
      const startedAt: number[] = []
      const call = new Observable<void>(subscriber => {
        startedAt.push(now())
        return timer(80).subscribe(() => subscriber.complete())
      })
      for (let i = 0; i < 5; i += 1) call.pipe(limiter.limit('create')).subscribe()
      at(10_000, () => expect(startedAt).toEqual([0, 0, 1_080, 1_080, 2_160]))
    })
  })

  it('adds the margin to the window', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 1, marginMs: 15 })
      const first = record(of('a').pipe(limiter.limit('list')))
      const second = record(of('b').pipe(limiter.limit('list')))
      at(5_000, () => {
        expect(first.seen[0]).toEqual([0, 'next', 'a'])
        expect(second.seen[0]).toEqual([1_015, 'next', 'b'])
      })
    })
  })

  it.each([1, 2, 3, 4, 5])(
    'never lets more than the shared quota arrive in a window, and uses it (seed %i)',
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
          // Two tokens, each busy for a mean trip of 400 ms and a window: 140 s. Evenly spaced it would be 100 s.
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

  it('lets the more urgent operation go first, and each in the order of its calls', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 1 })
      const order: string[] = []
      const go = (op: Op, name: string): void => {
        of(name)
          .pipe(limiter.limit(op))
          .subscribe(value => order.push(value))
      }
      go('list', 'l1')
      go('list', 'l2')
      go('detail', 'd1')
      go('create', 'c1')
      go('create', 'c2')
      at(1_500, () => go('create', 'c3'))
      at(20_000, () => expect(order).toEqual(['l1', 'c1', 'c2', 'c3', 'd1', 'l2']))
    })
  })

  it('does not hold up others behind an operation that has used its own tokens up', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 3, perOperation: { create: 1, detail: 5, list: 5 } })
      const startedAt: [Op, number][] = []
      for (const op of ['create', 'create', 'list', 'detail'] as const)
        of(op)
          .pipe(limiter.limit(op))
          .subscribe(() => startedAt.push([op, now()]))
      at(10_000, () =>
        expect(startedAt).toEqual([
          ['create', 0],
          ['list', 0],
          ['detail', 0],
          ['create', 1_000],
        ]),
      )
    })
  })

  it('takes 0 for no cap', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 0, perOperation: { create: 0, detail: 1, list: 1 } })
      for (let i = 0; i < 100; i += 1) NEVER.pipe(limiter.limit('create')).subscribe()
      expect(limiter.inFlight()).toBe(100)
    })
  })

  it('gives the token of a failed call back like any other, and the error to its caller only', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 1 })
      const failed = record(throwError(() => 'boom').pipe(limiter.limit('create')))
      const next = record(of('ok').pipe(limiter.limit('create')))
      at(10_000, () => {
        expect(failed.seen).toEqual([[0, 'error', 'boom']])
        expect(next.seen[0]).toEqual([1_000, 'next', 'ok'])
        expect(limiter.inUse()).toEqual(idle)
      })
    })
  })

  it('keeps the token of an abandoned call until its request cannot arrive any more, and a window longer', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 1 })
      const abandoned = record(NEVER.pipe(limiter.limit('create')))
      const next = record(of('ok').pipe(limiter.limit('create')))
      at(500, abandoned.stop)
      at(500 + deadlineMs - 1, () => expect(limiter.inFlight()).toBe(1))
      at(500 + deadlineMs + 1, () => {
        expect(limiter.inFlight()).toBe(0)
        expect(limiter.inUse().shared).toBe(1)
      })
      at(60_000, () => expect(next.seen[0]).toEqual([500 + deadlineMs + windowMs, 'next', 'ok']))
    })
  })

  it('takes a value for the answer when the caller leaves with it', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 1 })
      const answers$ = new Subject<string>()
      const first = record(answers$.pipe(limiter.limit('create')))
      at(100, () => answers$.next('value'))
      at(100, first.stop)
      at(200, () => expect(limiter.inFlight()).toBe(0))
      const next = record(of('ok').pipe(limiter.limit('create')))
      at(10_000, () => expect(next.seen[0]).toEqual([1_100, 'next', 'ok']))
    })
  })

  it('forgets a call that is unsubscribed while it waits', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 1 })
      const startedAt: Record<string, number> = {}
      const go = (name: string) =>
        EMPTY.pipe(limiter.limit('list')).subscribe({
          complete: () => {
            startedAt[name] = now()
          },
        })
      go('first')
      const waiting = go('waiting')
      go('last')
      expect(limiter.inUse().waiting.list).toBe(2)
      at(500, () => {
        waiting.unsubscribe()
        expect(limiter.inUse().waiting.list).toBe(1)
      })
      at(10_000, () => expect(startedAt).toEqual({ first: 0, last: 1_000 }))
    })
  })

  it('starts no call of a paused operation before the pause is over', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 0 })
      limiter.pause('create', 3_000)
      limiter.pause('create', 1_000)
      const create = record(of('c').pipe(limiter.limit('create')))
      const list = record(of('l').pipe(limiter.limit('list')))
      at(10_000, () => {
        expect(list.seen[0]).toEqual([0, 'next', 'l'])
        expect(create.seen[0]).toEqual([3_000, 'next', 'c'])
      })
    })
  })

  it('pauses everything, but not what is on the wire', () => {
    virtually(() => {
      const limiter = limiterOf()
      const underWay = record(timer(500).pipe(limiter.limit('create')))
      at(100, () => limiter.pause('all', 2_000))
      at(200, () => {
        const waiting = priority.map(op => record(of(op).pipe(limiter.limit(op))))
        at(20_000, () => {
          expect(underWay.seen[0]).toEqual([500, 'next', 0])
          expect(waiting.map(({ seen }) => seen[0]?.[0])).toEqual([2_100, 2_100, 3_100])
        })
      })
    })
  })

  it('waits again each time the limited call is subscribed to', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 1 })
      const limited = of('x').pipe(limiter.limit('list'))
      const both = record(limited.pipe(concatMap(() => limited)))
      at(10_000, () =>
        expect(both.seen).toEqual([
          [1_000, 'next', 'x'],
          [1_000, 'complete'],
        ]),
      )
    })
  })

  it('stays flat when 3,000 calls that answer at once set each other off', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 0, perOperation: { create: 0, detail: 0, list: 0 } })
      let done = 0
      const next = (): void => {
        of(0)
          .pipe(limiter.limit('create'))
          .subscribe(() => {
            done += 1
            if (done < 3_000) next()
          })
      }
      next()
      expect(done).toBe(3_000)
    })
  })

  it('refuses an operation without a priority', () => {
    expect(() => limiterOf({ priority: ['create'] })).toThrow('detail')
  })

  it('keeps the quota and loses no token whatever callers do', () => {
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
