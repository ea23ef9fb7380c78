import { concatMap, EMPTY, NEVER, Observable, of, Subject, throwError, timer } from 'rxjs'
import { deadlineMs, idle, limiterOf, windowMs } from './limited-provider'
import { at, now, record, virtually } from './virtual-time'

describe('createRateLimiter', () => {
  it('starts as many calls at once as there are tokens, and the next one a window after an answer', () => {
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

  it('gives the token of a failed call back like any other, and its error to its caller only', () => {
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

  it('keeps the token of an abandoned call for its deadline and a window longer', () => {
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

  it('takes a value for the answer when the caller leaves after it', () => {
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

  it('makes a limited call wait again each time it is subscribed to', () => {
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

  it('keeps the stack flat when 3,000 calls that answer at once set each other off', () => {
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
})
