import { defer, EMPTY, Observable, of, Subject, timer } from 'rxjs'
import { waitUntil } from '../../../src/operators/wait-until'
import { type Answer, attempts, idle, job } from './scripted-attempts'
import { at, now, record, virtually } from './virtual-time'

describe('waitUntil', () => {
  it('waits for a change when the idle attempt named no time', () => {
    virtually(() => {
      const changes$ = new Subject<void>()
      const { attempt } = attempts([idle(), idle(), job(1)])
      const { seen } = record(waitUntil(attempt, changes$))
      at(5_000, () => changes$.next())
      at(8_000, () => changes$.next())
      at(9_000, () => expect(seen[0]).toEqual([8_000, 'next', job(1)]))
    })
  })

  it('attempts again at a change before the named time', () => {
    virtually(() => {
      const changes$ = new Subject<void>()
      const { attempt, startedAt } = attempts([idle(500_000), job(1)])
      const { seen } = record(waitUntil(attempt, changes$))
      at(100_000, () => expect(startedAt).toEqual([0]))
      at(100_000, () => changes$.next())
      at(100_001, () => expect(seen[0]).toEqual([100_000, 'next', job(1)]))
    })
  })

  it('attempts again when a change came while an attempt was under way', () => {
    virtually(() => {
      const changes$ = new Subject<void>()
      const { attempt, startedAt } = attempts([idle(), job(1)], 50)
      const { seen } = record(waitUntil(attempt, changes$))
      at(10, () => changes$.next())
      at(10_000, () => {
        expect(startedAt).toEqual([0, 50])
        expect(seen[0]).toEqual([100, 'next', job(1)])
      })
    })
  })

  it('attempts again when an attempt that answers at once causes a change itself', () => {
    virtually(() => {
      const changes$ = new Subject<void>()
      let tries = 0
      const attempt = defer(() => {
        tries += 1
        if (tries === 1) changes$.next()
        return of(tries === 1 ? idle() : job(tries))
      })
      const { seen } = record(waitUntil(attempt, changes$))
      at(1_000, () => expect(seen[0]).toEqual([20, 'next', job(2)]))
    })
  })

  it.each([0, 7])(
    'makes one attempt at a time, at least 20 ms apart, in a storm of changes (attempts of %i ms)',
    tookMs => {
      virtually(() => {
        const changes$ = new Subject<void>()
        let underWay = 0
        let most = 0
        const startedAt: number[] = []
        const attempt = new Observable<Answer>(subscriber => {
          underWay += 1
          most = Math.max(most, underWay)
          startedAt.push(now())
          return (tookMs === 0 ? of(0) : timer(tookMs)).subscribe(() => {
            underWay -= 1
            subscriber.next(idle())
            subscriber.complete()
          })
        })
        const { stop } = record(waitUntil(attempt, changes$))
        for (let ms = 0; ms < 1_000; ms += 1) at(ms, () => changes$.next())
        at(2_000, () => {
          expect(most).toBe(1)
          expect(startedAt.length).toBeGreaterThan(40)
          expect(startedAt.length).toBeLessThanOrEqual(52)
          const gaps = startedAt.slice(1).map((start, index) => start - (startedAt[index] ?? 0))
          expect(Math.min(...gaps)).toBeGreaterThanOrEqual(20)
          stop()
        })
      })
    },
  )

  it('goes on after the completion of the changes', () => {
    virtually(() => {
      const { attempt } = attempts([idle(500), job(1)])
      const { seen } = record(waitUntil(attempt, EMPTY))
      at(1_000, () => expect(seen[0]).toEqual([500, 'next', job(1)]))
    })
  })
})
