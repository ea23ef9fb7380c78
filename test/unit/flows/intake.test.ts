import { EMPTY, map, NEVER, type Observable, of, Subject, throwError, timer } from 'rxjs'
import type { FlowEvent } from '../../../src/domain/flow-event'
import { intake$ } from '../../../src/flows/intake'
import type { AppendReceipt, IntakeJournal, JournalChunk } from '../../../src/ports/journal'
import type { SourceChunk } from '../../../src/ports/request-source'
import { inVirtualTime } from '../../support/virtual-driver'

type Append = (chunk: JournalChunk) => Observable<AppendReceipt>
const receipt: AppendReceipt = { moves: 1, rejections: 0 }

/** Chunks on their way through intake, each of which becomes `parts` chunks of the journal. */
const setUp = (append: Append, parts = 1) => {
  const offered$ = new Subject<SourceChunk>()
  const ends: string[] = []
  const events: FlowEvent[] = []
  const journal: IntakeJournal = {
    append,
    positions: () => of(new Map()),
    skip: () => EMPTY,
    stop: () => EMPTY,
  }
  const flow$ = intake$({
    source: {
      clusterId: () => of('cluster'),
      committed: () => NEVER,
      chunks: () => offered$,
      health$: NEVER,
    },
    journal,
    toJournal: (clusterId, { topic, partition }) =>
      Array.from({ length: parts }, (_, part) => ({
        clusterId,
        topic,
        partition,
        life: 1,
        continuesFrom: BigInt(part),
        nextOffset: BigInt(part + 1),
        last: null,
        requests: [],
        rejections: [],
      })),
    observe: event => events.push(event),
  })
  const offer = (partition: number): void =>
    offered$.next({
      topic: 'requests',
      partition,
      life: 1,
      continuesFrom: 0n,
      records: [],
      done: () => ends.push(`${partition} done`),
      fail: reason => ends.push(`${partition} failed: ${reason}`),
    })
  return { flow$, offer, ends, events }
}

describe('intake', () => {
  it('marks a chunk as done only when every part of it is stored', () => {
    const log: string[] = []
    const { flow$, offer, ends } = setUp(
      ({ nextOffset }) =>
        // Later parts are stored faster, so parts stored side by side would end in the reverse order.
        timer(400 - 100 * Number(nextOffset)).pipe(
          map(() => {
            log.push(`stored to ${nextOffset}, ended: ${ends.length}`)
            return receipt
          }),
        ),
      3,
    )
    inVirtualTime(1_000, () => {
      flow$.subscribe()
      offer(0)
    })
    expect(log).toEqual(['stored to 1, ended: 0', 'stored to 2, ended: 0', 'stored to 3, ended: 0'])
    expect(ends).toEqual(['0 done'])
  })

  it('fails a chunk that was not stored, which is never committed, and goes on with the others', () => {
    const { flow$, offer, ends, events } = setUp(({ partition }) =>
      partition === 1 ? throwError(() => 'no such column') : of(receipt),
    )
    inVirtualTime(1_000, () => {
      flow$.subscribe()
      for (const partition of [0, 1, 2]) offer(partition)
    })
    expect(ends).toEqual(['0 done', '1 failed: no such column', '2 done'])
    expect(events.filter(({ kind }) => kind === 'defect')).toEqual([
      { kind: 'defect', flow: 'intake', error: 'no such column' },
    ])
  })

  it('stores no part behind one that was not stored', () => {
    const asked: bigint[] = []
    const { flow$, offer, ends } = setUp(({ nextOffset }) => {
      asked.push(nextOffset)
      return nextOffset === 2n ? throwError(() => 'no') : of(receipt)
    }, 3)
    inVirtualTime(1_000, () => {
      flow$.subscribe()
      offer(0)
    })
    expect(asked).toEqual([1n, 2n])
    expect(ends).toEqual(['0 failed: no'])
  })
})
