import { defer, map, of, throwError, timer } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import type { RestoredDatabaseError } from '../../../src/domain/restored-database'
import { type Assignment, createAssignment, type Reading } from '../../../src/kafka/consumer/assignment'
import type { LogState } from '../../../src/kafka/consumer/place'
import type { SourceHealth, StoredPosition } from '../../../src/ports/request-source'
import { bookAt, type RecordedBook, storedAt } from '../../support/source-book'

interface Setup {
  readonly assignment: Assignment
  /** The calls of the consumer, in order. */
  readonly done: string[]
  readonly healths: SourceHealth[]
  readonly errors: string[]
  readonly positions: Map<number, bigint | StoredPosition>
  readonly marks: Map<number, Pick<LogState, 'low' | 'high'> & Partial<LogState>>
  readonly reading: Map<number, Reading>
  readonly book: RecordedBook
  readonly losses: RestoredDatabaseError[]
  failures: number
  /** How long the journal takes to answer. */
  answerMs: number
}

const setUp = (): Setup => {
  const done: string[] = []
  const healths: SourceHealth[] = []
  const errors: string[] = []
  const partitionsOf = (topics: { partitions: number[] }[]): string =>
    topics.flatMap(topic => topic.partitions).join()
  const setup: Omit<Setup, 'assignment'> = {
    done,
    healths,
    errors,
    failures: 0,
    answerMs: 0,
    positions: new Map(),
    reading: new Map(),
    book: bookAt(),
    losses: [],
    marks: new Map([0, 1].map(partition => [partition, { low: 10n, high: 20n }])),
  }
  const assignment = createAssignment({
    consumer: {
      pause: topics => done.push(`pause ${partitionsOf(topics)}`),
      resume: topics => done.push(`resume ${partitionsOf(topics)}`),
      seek: ({ partition, offset }) => done.push(`seek ${partition} ${offset}`),
    },
    topic: 'requests',
    states: partitions =>
      defer(() => {
        const states = () =>
          new Map(
            partitions.flatMap(partition => {
              const at = setup.positions.get(partition)
              const marks = setup.marks.get(partition)
              if (marks === undefined) return []
              const log: LogState = { committed: null, there: 'unasked', isCompacted: false, ...marks }
              return [[partition, { stored: typeof at === 'bigint' ? storedAt(at) : at, log }] as const]
            }),
          )
        if (state.failures === 0)
          return state.answerMs === 0 ? of(states()) : timer(state.answerMs).pipe(map(states))
        state.failures -= 1
        return throwError(() => new Error('no database'))
      }),
    book: setup.book,
    reading: setup.reading,
    lost: error => setup.losses.push(error),
    health: health => healths.push(health),
    log: (level, text) => level === 'error' && errors.push(text),
    random: () => 1,
  })
  const state: Setup = { ...setup, assignment }
  return state
}

const virtually = (run: (at: (ms: number, act: () => void) => void) => void): void => {
  const scheduler = new TestScheduler(() => undefined)
  scheduler.run(({ cold, flush }) => {
    run((ms, act) => cold(`${ms}ms (a|)`).subscribe(act))
    flush()
  })
}

describe('an assignment', () => {
  let setup: Setup
  beforeEach(() => {
    jest.useFakeTimers()
    setup = setUp()
  })
  afterEach(() => {
    setup.assignment.stop()
    jest.useRealTimers()
  })

  it('pauses every partition at once and reads each on where the journal stands', () => {
    setup.positions.set(0, 15n)
    setup.assignment.assigned([0, 1])
    expect(setup.done).toEqual(['pause 0,1', 'seek 0 15', 'resume 0', 'seek 1 10', 'resume 1'])
    expect(setup.healths).toEqual([{ state: 'assigned', reason: null }])
  })

  it('reports that it stands by when it has no partitions', () => {
    setup.assignment.assigned([])
    expect(setup.done).toEqual([])
    expect(setup.healths.at(-1)).toEqual({ state: 'standing-by', reason: null })
  })

  it('reads nothing before the journal has answered', () => {
    virtually(at => {
      setup.failures = 2
      setup.assignment.assigned([0])
      at(2_999, () => {
        expect(setup.done).toEqual(['pause 0'])
        expect(setup.healths.at(-1)).toEqual({
          state: 'starting',
          reason: 'where to read requests on is not known: no database',
        })
      })
      at(3_001, () => expect(setup.done).toEqual(['pause 0', 'seek 0 10', 'resume 0']))
    })
    expect(setup.healths.at(-1)?.state).toBe('assigned')
  })

  it('resumes a partition that grew, and was read by another member, while the journal was asked', () => {
    virtually(at => {
      setup.answerMs = 2_000
      setup.assignment.assigned([0])
      at(1_000, () => {
        setup.marks.set(0, { low: 10n, high: 30n })
        setup.positions.set(0, 25n)
      })
      at(2_001, () => expect(setup.done).toEqual(['pause 0', 'seek 0 25', 'resume 0']))
    })
    expect(setup.errors).toEqual([])
  })

  it('keeps a partition paused whose position lies beyond its end, and has that stored at the second look', () => {
    setup.positions.set(0, 25n)
    setup.assignment.assigned([0, 1])
    expect(setup.done).toEqual(['pause 0,1', 'seek 1 10', 'resume 1'])
    expect(setup.healths.at(-1)).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('requests/0'),
    })
    expect(setup.errors).toHaveLength(1)
    expect(setup.book.stops).toEqual([])
    jest.advanceTimersByTime(10_000)
    expect(setup.done).toEqual(['pause 0,1', 'seek 1 10', 'resume 1'])
    expect(setup.errors).toHaveLength(1)
    expect(setup.book.stops).toMatchObject([{ partition: 0, reason: expect.stringContaining('offset 25') }])
  })

  it('reads on where a broker did not know the end of its log at the first look', () => {
    const last = { offset: 24n, timestampMs: 1, digest: 'aa' }
    setup.positions.set(0, storedAt(25n, { last }))
    setup.assignment.assigned([0])
    setup.marks.set(0, { low: 0n, high: 25n, there: last })
    jest.advanceTimersByTime(10_000)
    expect(setup.done).toEqual(['pause 0', 'seek 0 25', 'resume 0'])
    expect(setup.book.stops).toEqual([])
    expect(setup.healths.at(-1)).toEqual({ state: 'assigned', reason: null })
  })

  it('stops a partition that has grown past its position since, if no record can tell it from another log', () => {
    setup.positions.set(0, 25n)
    setup.assignment.assigned([0])
    setup.marks.set(0, { low: 0n, high: 30n })
    jest.advanceTimersByTime(10_000)
    expect(setup.done).toEqual(['pause 0'])
    expect(setup.book.stops).toHaveLength(1)
  })

  it('stops a partition at once whose last record is another one, and reads on once that was accepted', () => {
    const last = { offset: 14n, timestampMs: 1, digest: 'aa' }
    setup.positions.set(0, storedAt(15n, { last }))
    setup.marks.set(0, { low: 10n, high: 20n, there: { ...last, digest: 'bb' } })
    setup.assignment.assigned([0])
    expect(setup.book.stops).toHaveLength(1)
    setup.positions.set(0, storedAt(15n, { last, stopped: 'another log' }))
    jest.advanceTimersByTime(30_000)
    expect(setup.done).toEqual(['pause 0'])
    expect(setup.healths.at(-1)).toEqual({ state: 'failed', reason: 'another log' })
    setup.positions.set(0, storedAt(10n, { life: 2 }))
    jest.advanceTimersByTime(10_000)
    expect(setup.done).toEqual(['pause 0', 'seek 0 10', 'resume 0'])
    expect(setup.reading.get(0)).toMatchObject({ life: 2, continuesFrom: 10n })
  })

  it('reads on in a new life that was accepted while it was in doubt', () => {
    setup.positions.set(0, 25n)
    setup.assignment.assigned([0])
    setup.positions.set(0, storedAt(10n, { life: 2 }))
    jest.advanceTimersByTime(10_000)
    expect(setup.done).toEqual(['pause 0', 'seek 0 10', 'resume 0'])
    expect(setup.book.stops).toEqual([])
  })

  it('has a gap counted, and logs an error, when records were deleted before they were read', () => {
    setup.positions.set(0, 4n)
    setup.assignment.assigned([0])
    expect(setup.done).toEqual(['pause 0', 'seek 0 10', 'resume 0'])
    expect(setup.book.skips).toEqual([{ partition: 0, gap: { from: 4n, to: 10n } }])
    expect(setup.errors).toEqual(['6 records were deleted from requests/0 before they were read'])
    expect(setup.reading.get(0)).toEqual({ life: 1, continuesFrom: 10n })
  })

  it('reads nothing, and says so, when the group has committed what the journal does not have', () => {
    setup.positions.set(0, 12n)
    setup.marks.set(0, { low: 10n, high: 20n, committed: 15n })
    setup.assignment.assigned([0])
    expect(setup.done).toEqual(['pause 0'])
    expect(setup.losses.map(({ message }) => message)).toEqual([expect.stringContaining('accept-restore')])
  })

  it('asks the journal again when kafkajs is about to jump', () => {
    setup.positions.set(0, 15n)
    setup.assignment.assigned([0])
    setup.marks.set(0, { low: 0n, high: 3n })
    setup.assignment.placeAgain(0)
    expect(setup.done.slice(3)).toEqual(['pause 0'])
    expect(setup.healths.at(-1)?.state).toBe('failed')
    setup.assignment.placeAgain(7)
    expect(setup.done.slice(3)).toEqual(['pause 0'])
  })

  it('keeps a partition paused at an unreadable batch until that batch is deleted', () => {
    setup.assignment.assigned([0])
    setup.assignment.unreadable(0, 12n, 'lz4: truncated')
    expect(setup.healths.at(-1)).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('offset 12'),
    })
    jest.advanceTimersByTime(30_000)
    expect(setup.done).toEqual(['pause 0', 'seek 0 10', 'resume 0'])
    setup.marks.set(0, { low: 13n, high: 20n })
    setup.positions.set(0, 12n)
    jest.advanceTimersByTime(30_000)
    expect(setup.done.slice(3)).toEqual(['seek 0 13', 'resume 0'])
    expect(setup.healths.at(-1)?.state).toBe('assigned')
  })

  it('reports a partition without a leader, reads the others, and places it once it has one', () => {
    setup.marks.delete(0)
    setup.assignment.leaderless([0])
    setup.assignment.assigned([0, 1])
    expect(setup.done).toEqual(['pause 0,1', 'seek 1 10', 'resume 1'])
    expect(setup.healths.at(-1)).toEqual({
      state: 'failed',
      reason: expect.stringContaining('requests/0 is not read: it has no leader'),
    })
    setup.marks.set(0, { low: 10n, high: 20n })
    setup.assignment.leaderless([])
    expect(setup.done.slice(3)).toEqual(['seek 0 10', 'resume 0'])
    expect(setup.healths.at(-1)).toEqual({ state: 'assigned', reason: null })
  })

  it('reports a partition that loses its leader, and stops neither that one nor the others', () => {
    setup.assignment.assigned([0])
    setup.assignment.leaderless([0, 7])
    expect(setup.healths.at(-1)?.reason).toMatch(/^requests\/0 is not read: it has no leader[^;]*$/)
    setup.assignment.leaderless([])
    expect(setup.healths.at(-1)).toEqual({ state: 'assigned', reason: null })
    expect(setup.done).toEqual(['pause 0', 'seek 0 10', 'resume 0'])
  })

  it('forgets the partitions of an earlier assignment', () => {
    setup.failures = 1
    setup.assignment.assigned([0])
    setup.assignment.assigned([1])
    expect(setup.done).toEqual(['pause 0', 'pause 1', 'seek 1 10', 'resume 1'])
  })
})
