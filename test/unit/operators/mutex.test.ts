import { defer, EMPTY, mergeMap, NEVER, of, range, Subject, throwError } from 'rxjs'
import { createMutex } from '../../../src/operators/semaphore'
import { record, virtually } from './virtual-time'

describe('createMutex', () => {
  it('runs one source after the other, in the order of subscription', () => {
    virtually(({ cold, expectObservable, expectSubscriptions }) => {
      const mutex = createMutex()
      // biome-ignore-start format: columns
      const first = cold('     --a--|')
      const second = cold('         -b|')
      const third = cold('            c-|')
      const expected = '       --a---bc-|'
      // biome-ignore-end format: columns
      expectObservable(of(first, second, third).pipe(mergeMap(source => source.pipe(mutex)))).toBe(expected)
      expectSubscriptions(first.subscriptions).toBe(' ^----!')
      expectSubscriptions(second.subscriptions).toBe('-----^-!')
      expectSubscriptions(third.subscriptions).toBe(' -------^-!')
    })
  })

  it('runs the next source after an error, which reaches its own subscriber only', () => {
    const mutex = createMutex()
    const first$ = new Subject<string>()
    const failed = record(first$.pipe(mutex))
    const next = record(of('next').pipe(mutex))
    expect(next.seen).toEqual([])
    first$.error('boom')
    expect(failed.seen.map(([, ...what]) => what)).toEqual([['error', 'boom']])
    expect(next.seen.map(([, ...what]) => what)).toEqual([['next', 'next'], ['complete']])
  })

  it('runs the next source when the one under way is unsubscribed', () => {
    const mutex = createMutex()
    const first = record(NEVER.pipe(mutex))
    const next = record(of('next').pipe(mutex))
    first.stop()
    expect(next.seen).toHaveLength(2)
  })

  it('skips a source that was unsubscribed while waiting, without subscribing to it', () => {
    const mutex = createMutex()
    const first$ = new Subject<void>()
    let subscribed = 0
    first$.pipe(mutex).subscribe()
    const waiting = record(
      defer(() => {
        subscribed += 1
        return EMPTY
      }).pipe(mutex),
    )
    const last = record(of('last').pipe(mutex))
    waiting.stop()
    expect(last.seen).toEqual([])
    first$.complete()
    expect(subscribed).toBe(0)
    expect(last.seen).toHaveLength(2)
  })

  it('is free again after a source that ends while it is being subscribed to', () => {
    const mutex = createMutex()
    record(throwError(() => 'at once').pipe(mutex))
    record(EMPTY.pipe(mutex))
    expect(record(of('next').pipe(mutex)).seen).toHaveLength(2)
  })

  it('keeps the stack flat with 20,000 waiting sources that end at once', () => {
    const mutex = createMutex()
    const first$ = new Subject<number>()
    let done = 0
    first$.pipe(mutex).subscribe()
    range(0, 20_000)
      .pipe(mergeMap(n => of(n).pipe(mutex)))
      .subscribe(() => {
        done += 1
      })
    expect(done).toBe(0)
    first$.complete()
    expect(done).toBe(20_000)
  })
})
