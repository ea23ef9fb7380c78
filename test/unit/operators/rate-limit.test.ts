import { defer, NEVER, of, repeat, takeUntil, timer } from 'rxjs'
import { limiterOf, type Op, priority, windowMs } from './limited-provider'
import { at, now, record, virtually } from './virtual-time'

describe('createRateLimiter', () => {
  it('admits calls by the priority of their operation, and calls of one operation in their order', () => {
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

  it('does not hold up other operations behind one that has used up its own tokens', () => {
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

  it('keeps a shared token free of yielding operations, so that no other operation waits for them', () => {
    virtually(() => {
      const limiter = limiterOf({ yielding: ['list'] })
      const startedAt: [Op, number][] = []
      const go = (op: Op): void => {
        of(op)
          .pipe(limiter.limit(op))
          .subscribe(() => startedAt.push([op, now()]))
      }
      for (let i = 0; i < 100; i += 1) go('list')
      for (const instant of [300, 2_300, 4_300]) at(instant, () => go('create'))
      at(6_000, () => {
        expect(startedAt.filter(([op]) => op === 'create')).toEqual([
          ['create', 300],
          ['create', 2_300],
          ['create', 4_300],
        ])
        // The yielding ones get what the creates leave, one at a time.
        expect(startedAt.filter(([op]) => op === 'list').map(([, start]) => start)).toEqual([
          0, 1_300, 3_300, 5_300,
        ])
      })
    })
  })

  it('lets a yielding operation have the only shared token', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 1, yielding: ['list'] })
      const list = record(of('l').pipe(limiter.limit('list')))
      at(1, () => expect(list.seen).toContainEqual([0, 'next', 'l']))
    })
  })

  it('admits a yielding operation once so many calls of others have gone before it, and keeps the cap', () => {
    virtually(() => {
      const limiter = limiterOf({
        perOperation: { create: 2, detail: 0, list: 0 },
        yielding: ['list'],
        passedOverAtMost: 19,
      })
      const order: Op[] = []
      let inWindow = 0
      let most = 0
      const counted = (op: Op) => {
        const call = defer(() => {
          order.push(op)
          inWindow += 1
          most = Math.max(most, inWindow)
          timer(windowMs).subscribe(() => {
            inWindow -= 1
          })
          return of(op)
        })
        return call.pipe(limiter.limit(op))
      }
      // There are always more creates than the quota allows.
      const end$ = timer(101_000)
      for (let i = 0; i < 10; i += 1) counted('create').pipe(repeat(), takeUntil(end$)).subscribe()
      for (let i = 0; i < 100; i += 1) counted('list').pipe(takeUntil(end$)).subscribe()
      at(100_500, () => {
        expect(most).toBeLessThanOrEqual(2)
        const lists = order.filter(op => op === 'list').length
        expect([order.length, lists]).toEqual([202, 10])
        // Two went before any list waited.
        expect(order.indexOf('list')).toBe(2 + 19)
      })
    })
  })

  it('does not let a yielding operation go first that may not start', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 1, yielding: ['list'], passedOverAtMost: 2 })
      const order: Op[] = []
      const go = (op: Op) =>
        of(op)
          .pipe(limiter.limit(op))
          .subscribe(each => order.push(each))
      limiter.pause('list', 5_500)
      go('list')
      for (let i = 0; i < 8; i += 1) go('create')
      at(20_000, () => expect(order).toEqual([...Array(6).fill('create'), 'list', 'create', 'create']))
    })
  })

  it('takes a cap of 0 for no cap', () => {
    virtually(() => {
      const limiter = limiterOf({ shared: 0, perOperation: { create: 0, detail: 1, list: 1 } })
      for (let i = 0; i < 100; i += 1) NEVER.pipe(limiter.limit('create')).subscribe()
      expect(limiter.inFlight()).toBe(100)
    })
  })

  it('starts no call of a paused operation before the last of its pauses is over', () => {
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

  it('pauses all operations, but no call that is on the wire', () => {
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

  it('throws for an operation without a priority', () => {
    expect(() => limiterOf({ priority: ['create'] })).toThrow('detail')
  })
})
