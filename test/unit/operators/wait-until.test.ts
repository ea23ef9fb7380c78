import { defer, EMPTY, NEVER, type Observable, of, Subject, throwError } from 'rxjs'
import { waitUntil } from '../../../src/operators/wait-until'
import { type Answer, attempts, idle, job } from './scripted-attempts'
import { at, record, virtually } from './virtual-time'

describe('waitUntil', () => {
  it('passes on the first value that is not idle, and completes', () => {
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

  it('attempts again at the time that the idle attempt named', () => {
    virtually(() => {
      const { attempt } = attempts([idle(3_000), job(1)])
      const { seen } = record(waitUntil(attempt, NEVER))
      at(9_000, () => expect(seen[0]).toEqual([3_000, 'next', job(1)]))
    })
  })

  it('waits no longer than the longest timer, since a longer one would fire at once', () => {
    virtually(() => {
      const { attempt, startedAt } = attempts([idle(2 ** 40), job(1)])
      record(waitUntil(attempt, NEVER))
      at(2 ** 32, () => expect(startedAt).toEqual([0, 2 ** 31 - 1]))
    })
  })

  it('repeats an attempt without a value and does not complete', () => {
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
      // A claim that is cut off after its value could lose its commit.
      const attempt = cold<Answer>('-a--|', { a: job(1) })
      expectObservable(waitUntil(attempt, NEVER)).toBe('----(a|)', { a: job(1) })
      expectSubscriptions(attempt.subscriptions).toBe(' ^---!')
    })
  })

  it('passes errors of attempts and of changes on', () => {
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

  it('stops attempting and watching when unsubscribed', () => {
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

  it('keeps the stack flat over 5,000 idle attempts that answer at once', () => {
    virtually(() => {
      const answers = Array.from({ length: 5_000 }, () => idle(0))
      const { attempt } = attempts([...answers, job(1)])
      const { seen } = record(waitUntil(attempt, NEVER))
      at(1_000_000, () => expect(seen[0]).toEqual([5_000 * 20, 'next', job(1)]))
    })
  })
})
