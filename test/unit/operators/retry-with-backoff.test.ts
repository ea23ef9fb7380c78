import { concat, defer, mergeMap, of, throwError, timer } from 'rxjs'
import { type RetryOptions, retryWithBackoff } from '../../../src/operators/retry-with-backoff'
import { at, now, record, virtually } from './virtual-time'

const backoff = ({
  firstMs = 100,
  maxMs = 1_000,
  ...options
}: Partial<RetryOptions> & { readonly firstMs?: number; readonly maxMs?: number } = {}) =>
  retryWithBackoff<string>({
    shouldRetry: () => true,
    backoff: { backoffMs: firstMs, backoffMaxMs: maxMs },
    random: () => 1,
    ...options,
  })

/** Fails the given number of times, then gives a value and completes. */
const failing = (times: number) => {
  const startedAt: number[] = []
  const source = defer(() => {
    startedAt.push(now())
    return startedAt.length <= times ? throwError(() => `failure ${startedAt.length}`) : of('done')
  })
  return { source, startedAt }
}

describe('retryWithBackoff', () => {
  it('doubles the pause up to the longest', () => {
    virtually(() => {
      const { source, startedAt } = failing(6)
      const { seen } = record(source.pipe(backoff()))
      at(10_000, () => {
        expect(startedAt).toEqual([0, 100, 300, 700, 1_500, 2_500, 3_500])
        expect(seen).toEqual([
          [3_500, 'next', 'done'],
          [3_500, 'complete'],
        ])
      })
    })
  })

  it('shortens a pause at random by no more than half', () => {
    virtually(() => {
      const { source, startedAt } = failing(3)
      record(source.pipe(backoff({ random: () => 0 })))
      at(10_000, () => expect(startedAt).toEqual([0, 50, 150, 350]))
    })
  })

  it('starts from the first pause again after a value', () => {
    virtually(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('  a-#')
      const expected = '     a----a----a--'
      expectObservable(source.pipe(backoff({ firstMs: 3 })), '^------------!').toBe(expected)
      expectSubscriptions(source.subscriptions).toBe(['^-!', '-----^-!', '----------^-!'])
    })
  })

  it('starts from the first pause again after a source that lasted long, even without a value', () => {
    virtually(() => {
      const startedAt: number[] = []
      const lasting = [0, 0, 5_000, 4_999]
      const source = defer(() => {
        startedAt.push(now())
        const ms = lasting[startedAt.length - 1]
        return ms === undefined ? of('done') : timer(ms).pipe(mergeMap(() => throwError(() => 'failure')))
      })
      record(source.pipe(backoff({ wellAfterMs: 5_000 })))
      at(20_000, () => expect(startedAt).toEqual([0, 100, 300, 5_400, 10_599]))
    })
  })

  it('passes an error on that is not to be retried', () => {
    virtually(() => {
      const { source, startedAt } = failing(9)
      const { seen } = record(source.pipe(backoff({ shouldRetry: error => error !== 'failure 2' })))
      at(10_000, () => {
        expect(startedAt).toEqual([0, 100])
        expect(seen).toEqual([[100, 'error', 'failure 2']])
      })
    })
  })

  it('reports each retry before its pause', () => {
    virtually(() => {
      const told: unknown[] = []
      const { source } = failing(2)
      record(source.pipe(backoff({ onRetry: (...what) => told.push(what) })))
      at(10_000, () =>
        expect(told).toEqual([
          ['failure 1', 1, 100],
          ['failure 2', 2, 200],
        ]),
      )
    })
  })

  it('keeps to the longest pause and a flat stack over 3,000 failures', () => {
    virtually(() => {
      const { source, startedAt } = failing(3_000)
      const { seen } = record(concat(source).pipe(backoff({ maxMs: 100 })))
      at(1_000_000, () => {
        expect(startedAt).toHaveLength(3_001)
        expect(seen[0]).toEqual([300_000, 'next', 'done'])
      })
    })
  })

  it('stops retrying when unsubscribed', () => {
    virtually(() => {
      const { source, startedAt } = failing(9)
      const { stop } = record(source.pipe(backoff()))
      at(150, stop)
      at(10_000, () => expect(startedAt).toEqual([0, 100]))
    })
  })
})
