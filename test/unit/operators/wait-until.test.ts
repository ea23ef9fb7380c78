import { defer, EMPTY, map, NEVER, Observable, of, Subject, throwError, timer } from 'rxjs'
import { type Idle, waitUntil } from '../../../src/operators/wait-until'
import { at, now, record, virtually } from './virtual-time'

type Answer = Idle | { readonly kind: 'job'; readonly id: number }

const idle = (wakeInMs: number | null = null): Answer => ({ kind: 'idle', wakeInMs })
const job = (id: number): Answer => ({ kind: 'job', id })

/** Attempts that take `tookMs` and give the next answer each; the last one again and again. */
const attempts = (
  answers: readonly Answer[],
  tookMs = 0,
): { attempt: Observable<Answer>; startedAt: number[] } => {
  const startedAt: number[] = []
  const attempt = defer(() => {
    const answer = answers[Math.min(startedAt.length, answers.length - 1)] ?? idle()
    startedAt.push(now())
    return tookMs === 0 ? of(answer) : timer(tookMs).pipe(map(() => answer))
  })
  return { attempt, startedAt }
}

describe('waitUntil', () => {
  it('passes the first value that is not idle on and completes', () => {
    virtually(() => {
      const { attempt, startedAt } = attempts([job(7)])
      const { seen } = record(waitUntil(attempt, NEVER))
      at(1_000, () => {
        expect(seen).toEqual([
          [0, 'next', job(7)],
          [0, 'complete'],
        ])
        expect(startedAt).toEqual([0])
      })
    })
  })

  it('waits for a change', () => {
    virtually(() => {
      const changes$ = new Subject<void>()
      const { attempt } = attempts([idle(), idle(), job(1)])
      const { seen } = record(waitUntil(attempt, changes$))
      at(5_000, () => changes$.next())
      at(8_000, () => changes$.next())
      at(9_000, () => expect(seen[0]).toEqual([8_000, 'next', job(1)]))
    })
  })

  it('wakes by itself when the idle attempt named a time', () => {
    virtually(() => {
      const { attempt } = attempts([idle(3_000), job(1)])
      const { seen } = record(waitUntil(attempt, NEVER))
      at(9_000, () => expect(seen[0]).toEqual([3_000, 'next', job(1)]))
    })
  })

  it('takes a change before the named time, and a time beyond what a timer can hold for long', () => {
    virtually(() => {
      const changes$ = new Subject<void>()
      const { attempt, startedAt } = attempts([idle(2 ** 40), job(1)])
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

  it('makes one attempt at a time, and few, in a storm of changes', () => {
    virtually(() => {
      const changes$ = new Subject<void>()
      let underWay = 0
      let most = 0
      const startedAt: number[] = []
      const attempt = new Observable<Answer>(subscriber => {
        underWay += 1
        most = Math.max(most, underWay)
        startedAt.push(now())
        return timer(7).subscribe(() => {
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
  })

  it('survives the completion of the changes', () => {
    virtually(() => {
      const { attempt } = attempts([idle(500), job(1)])
      const { seen } = record(waitUntil(attempt, EMPTY))
      at(1_000, () => expect(seen[0]).toEqual([500, 'next', job(1)]))
    })
  })

  it('never completes empty: an attempt without a value is tried again', () => {
    virtually(() => {
      let tries = 0
      const attempt = defer((): Observable<Answer> => {
        tries += 1
        return tries < 3 ? EMPTY : of(job(tries))
      })
      const { seen } = record(waitUntil(attempt, NEVER))
      at(10_000, () => expect(seen[0]).toEqual([2_000, 'next', job(3)]))
    })
  })

  it('lets an attempt run to its end before it passes its value on', () => {
    virtually(({ cold, expectObservable, expectSubscriptions }) => {
      // A claim that is cut off after its value might lose the commit.
      const attempt = cold<Answer>('-a--|', { a: job(1) })
      expectObservable(waitUntil(attempt, NEVER)).toBe('----(a|)', { a: job(1) })
      expectSubscriptions(attempt.subscriptions).toBe(' ^---!')
    })
  })

  it('passes errors on', () => {
    virtually(() => {
      const ofAttempt = record(
        waitUntil<Answer>(
          throwError(() => 'attempt'),
          NEVER,
        ),
      )
      const ofChanges = record(
        waitUntil(
          attempts([idle()]).attempt,
          throwError(() => 'changes'),
        ),
      )
      at(1_000, () => {
        expect(ofAttempt.seen).toEqual([[0, 'error', 'attempt']])
        expect(ofChanges.seen).toEqual([[0, 'error', 'changes']])
      })
    })
  })

  it('lets go of everything when unsubscribed', () => {
    virtually(() => {
      const changes$ = new Subject<void>()
      const { attempt, startedAt } = attempts([idle(100)])
      const { stop } = record(waitUntil(attempt, changes$))
      at(150, stop)
      at(160, () => {
        expect(changes$.observed).toBe(false)
        changes$.next()
      })
      at(10_000, () => expect(startedAt).toEqual([0, 100]))
    })
  })

  it('stays flat over 5,000 idle attempts that answer at once', () => {
    virtually(() => {
      const answers = Array.from({ length: 5_000 }, () => idle(0))
      const { attempt } = attempts([...answers, job(1)])
      const { seen } = record(waitUntil(attempt, NEVER))
      at(1_000_000, () => expect(seen[0]).toEqual([5_000 * 20, 'next', job(1)]))
    })
  })
})
