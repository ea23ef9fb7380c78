import { defer, delay, of, retry, throwError, timer } from 'rxjs'
import { createSharedPoll } from '../../../src/operators/shared-poll'
import { at, now, record, virtually } from './virtual-time'

/** Looks that take 40 ms each and are numbered from 1. Those in `failing` fail at once. */
const looks = (failing: readonly number[] = []) => {
  const startedAt: number[] = []
  const look = defer(() => {
    startedAt.push(now())
    const n = startedAt.length
    return failing.includes(n) ? throwError(() => `look ${n}`) : of({ n }).pipe(delay(40))
  })
  return { look, startedAt }
}

describe('createSharedPoll', () => {
  it('looks once for all subscribers, and pauses from the end of one look to the start of the next', () => {
    virtually(() => {
      const { look, startedAt } = looks()
      const poll$ = createSharedPoll({ look, intervalMs: () => 100 })
      const [first, second] = [record(poll$), record(poll$)]
      at(300, () => {
        expect(startedAt).toEqual([0, 140, 280])
        expect(first.seen).toEqual([
          [40, 'next', { n: 1, sentAt: 0 }],
          [180, 'next', { n: 2, sentAt: 140 }],
        ])
        expect(second.seen).toEqual(first.seen)
        first.stop()
        second.stop()
      })
    })
  })

  it('asks for the length of the pause each time', () => {
    virtually(() => {
      const { look, startedAt } = looks()
      let pauseMs = 50
      const { stop } = record(
        createSharedPoll({
          look,
          intervalMs: () => {
            pauseMs *= 2
            return pauseMs
          },
        }),
      )
      at(600, () => {
        stop()
        expect(startedAt).toEqual([0, 140, 380])
      })
    })
  })

  it('replays nothing to a late subscriber, which gets the next look that ends and its start', () => {
    virtually(() => {
      const { look } = looks()
      const poll$ = createSharedPoll({ look, intervalMs: () => 100 })
      const first = record(poll$)
      at(150, () => {
        const late = record(poll$)
        expect(late.seen).toEqual([])
        at(200, () => {
          expect(late.seen).toEqual([[180, 'next', { n: 2, sentAt: 140 }]])
          late.stop()
          first.stop()
        })
      })
    })
  })

  it('looks again after a failed look, which no subscriber sees', () => {
    virtually(() => {
      const { look, startedAt } = looks([1, 2])
      const errors: unknown[] = []
      const poll$ = createSharedPoll({ look, intervalMs: () => 100, onError: error => errors.push(error) })
      const { seen, stop } = record(poll$)
      at(300, () => {
        stop()
        expect(startedAt).toEqual([0, 100, 200])
        expect(errors).toEqual(['look 1', 'look 2'])
        expect(seen).toEqual([[240, 'next', { n: 3, sentAt: 200 }]])
      })
    })
  })

  it('leaves the pace of failed looks to `again`, and repeats what that passes on itself', () => {
    virtually(() => {
      const { look, startedAt } = looks([1, 2, 3])
      const errors: unknown[] = []
      const { seen, stop } = record(
        createSharedPoll({
          look,
          intervalMs: () => 100,
          again: retry({
            delay: (error: unknown) => (error === 'look 3' ? throwError(() => error) : timer(7)),
          }),
          onError: error => errors.push(error),
        }),
      )
      at(200, () => {
        stop()
        expect(startedAt).toEqual([0, 7, 14, 114])
        expect(errors).toEqual(['look 3'])
        // The start is that of the look that did not fail.
        expect(seen).toEqual([[154, 'next', { n: 4, sentAt: 114 }]])
      })
    })
  })

  it('stops with its last subscriber and starts anew with the next one', () => {
    virtually(() => {
      const { look, startedAt } = looks()
      const poll$ = createSharedPoll({ look, intervalMs: () => 100 })
      const [first, second] = [record(poll$), record(poll$)]
      at(50, first.stop)
      at(150, second.stop)
      at(5_000, () => {
        expect(startedAt).toEqual([0, 140])
        expect(second.seen).toHaveLength(1)
        const third = record(poll$)
        at(5_050, () => {
          expect(third.seen).toEqual([[5_040, 'next', { n: 3, sentAt: 5_000 }]])
          third.stop()
        })
      })
    })
  })
})
