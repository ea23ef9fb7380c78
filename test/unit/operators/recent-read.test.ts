import { concatMap, defer, map, type Observable, throwError, timer } from 'rxjs'
import { createRecentRead } from '../../../src/operators/recent-read'
import { at, now, record, virtually } from './virtual-time'

const options = { keepFactor: 10, keepMostMs: 2_000, patienceMs: 500, firstPatienceMs: 1_000 }

/** Reads that take so many ms each, numbered from 1. One that is `'fails'` fails after 10 ms. */
const reads = (...takeMs: readonly (number | 'fails')[]) => {
  const startedAt: number[] = []
  const read: Observable<number> = defer(() => {
    startedAt.push(now())
    const ms = takeMs[startedAt.length - 1] ?? 0
    if (ms === 'fails') return timer(10).pipe(concatMap(() => throwError(() => `read ${startedAt.length}`)))
    return timer(ms).pipe(map(() => startedAt.length))
  })
  return { recent$: createRecentRead(read, options), startedAt }
}

describe('createRecentRead', () => {
  it('answers all who ask by one read at a time', () => {
    virtually(() => {
      const { recent$, startedAt } = reads(100, 100)
      const readers = Array.from({ length: 100 }, () => record(recent$))
      at(50, () => readers.push(record(recent$)))
      at(200, () => {
        expect(startedAt).toEqual([0])
        for (const { seen } of readers)
          expect(seen).toEqual([
            [100, 'next', { kind: 'recent', last: { value: 1, ageMs: 100 } }],
            [100, 'complete'],
          ])
      })
    })
  })

  it('hands an answer out again for a multiple of the time that its read took, with its age', () => {
    virtually(() => {
      const { recent$, startedAt } = reads(20, 20)
      record(recent$)
      at(220, () =>
        expect(record(recent$).seen[0]).toEqual([
          220,
          'next',
          { kind: 'recent', last: { value: 1, ageMs: 220 } },
        ]),
      )
      at(221, () => record(recent$))
      at(300, () => expect(startedAt).toEqual([0, 221]))
    })
  })

  it('hands no answer out for longer than the longest time, however long its read took', () => {
    virtually(() => {
      const { recent$, startedAt } = reads(900, 900)
      record(recent$)
      at(2_900, () => record(recent$))
      at(2_901, () => record(recent$))
      at(5_000, () => expect(startedAt).toEqual([0, 2_901]))
    })
  })

  it('gives the answer before while a read takes long, and lets that read serve the next', () => {
    virtually(() => {
      const { recent$, startedAt } = reads(10, 3_000)
      record(recent$)
      at(1_000, () => {
        const { seen } = record(recent$)
        at(1_600, () =>
          expect(seen[0]).toEqual([
            1_500,
            'next',
            { kind: 'late', last: { value: 1, ageMs: 1_500 }, forMs: 500 },
          ]),
        )
      })
      // Nobody waits for the second read any longer, and it goes on.
      at(3_900, () => {
        const { seen } = record(recent$)
        at(4_100, () =>
          expect(seen[0]).toEqual([4_000, 'next', { kind: 'recent', last: { value: 2, ageMs: 3_000 } }]),
        )
      })
      at(5_000, () => expect(startedAt).toEqual([0, 1_000]))
    })
  })

  it('waits longer for the first answer, and says that there is none', () => {
    virtually(() => {
      const { recent$ } = reads(10_000)
      const { seen, stop } = record(recent$)
      at(1_100, () => {
        expect(seen[0]).toEqual([1_000, 'next', { kind: 'late', last: null, forMs: 1_000 }])
        stop()
      })
    })
  })

  it('tells all who wait of a failure, and reads anew for the next', () => {
    virtually(() => {
      const { recent$, startedAt } = reads(10, 'fails', 10)
      record(recent$)
      at(500, () => {
        const both = [record(recent$), record(recent$)]
        at(511, () => {
          for (const { seen } of both)
            expect(seen[0]).toEqual([
              510,
              'next',
              { kind: 'failed', last: { value: 1, ageMs: 510 }, error: 'read 2' },
            ])
          record(recent$)
        })
      })
      at(600, () => expect(startedAt).toEqual([0, 500, 511]))
    })
  })
})
