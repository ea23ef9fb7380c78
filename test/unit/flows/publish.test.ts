import { concat, defer, delay, map, NEVER, type Observable, of, ReplaySubject, timer } from 'rxjs'
import { RestoredDatabaseError } from '../../../src/domain/restored-database'
import { publish$ } from '../../../src/flows/publish'
import type { Outbox, OutboxChunk } from '../../../src/ports/journal'
import type { SinkSession } from '../../../src/ports/outcome-sink'
import { sampleChunk } from '../../support/sample-outcome'
import { inVirtualTime } from '../../support/virtual-driver'

interface Positions {
  readonly sink: bigint | null
  readonly database: bigint
  readonly end: bigint
}

/** The flow with one session, which stays open like a session of the sink. */
const publishIn = (session: SinkSession, outbox: Outbox, drain$: Observable<void>): Observable<never> =>
  publish$({
    sink: { open: () => concat(of(session), NEVER) },
    outbox,
    changes$: NEVER,
    publisher: 'me',
    most: { outcomes: 10, bytes: 1_000 },
    observe: () => undefined,
    drain$,
  })

/** Runs a session on an outbox of one outcome a row, and returns its steps. */
const run = ({ sink, database, end }: Positions) => {
  const log: string[] = []
  const step = (text: string): Observable<void> =>
    timer(10).pipe(
      map(() => {
        log.push(text)
      }),
    )
  const outbox: Outbox = {
    position: () => of({ published: database, end }),
    next: position =>
      defer(() => of(position < end ? sampleChunk(position + 1n, Number(position) + 1, 1) : null)),
    published: (publisher, position) => step(`${publisher} remembers ${position}`),
  }
  const drain$ = new ReplaySubject<void>(1)
  drain$.next()
  inVirtualTime(60_000, () => {
    const session: SinkSession = { position: sink, publish: ({ lastId }) => step(`publishes ${lastId}`) }
    publishIn(session, outbox, drain$).subscribe({
      error: error => log.push(error instanceof RestoredDatabaseError ? 'restored' : String(error)),
      complete: () => log.push('drained'),
    })
  })
  return log
}

describe('a publishing session', () => {
  it('stores its position after each chunk and before the next, and ends when the outbox is drained', () => {
    expect(run({ sink: null, database: 0n, end: 2n })).toEqual([
      'publishes 1',
      'me remembers 1',
      'publishes 2',
      'me remembers 2',
      'drained',
    ])
  })

  it.each([
    ['the sink is ahead because the database was not told', { sink: 3n, database: 2n, end: 4n }],
    [
      'the database is ahead because the group of the sink was forgotten and begun anew',
      { sink: 2n, database: 3n, end: 4n },
    ],
    ['the sink has forgotten its position', { sink: null, database: 3n, end: 4n }],
  ])('goes on from the larger position if %s', (_, positions) => {
    expect(run(positions)).toEqual(['publishes 4', 'me remembers 4', 'drained'])
  })

  it('does not end by an empty answer that was on its way when the last outcome was settled', () => {
    const log: string[] = []
    let end = 0n
    const outbox: Outbox = {
      position: () => of({ published: 0n, end }),
      next: position =>
        defer(() => of(position < end ? sampleChunk(end, Number(end), 1) : null)).pipe(delay(100)),
      published: () => of(undefined),
    }
    const drain$ = new ReplaySubject<void>(1)
    inVirtualTime(60_000, () => {
      timer(50).subscribe(() => {
        end = 1n
        drain$.next()
      })
      const session = {
        position: null,
        publish: ({ lastId }: OutboxChunk) => {
          log.push(`publishes ${lastId}`)
          return of(undefined)
        },
      }
      publishIn(session, outbox, drain$).subscribe({ complete: () => log.push('drained') })
    })
    expect(log).toEqual(['publishes 1', 'drained'])
  })

  it.each([
    ['the sink', { sink: 5n, database: 0n, end: 4n }],
    ['the database', { sink: null, database: 5n, end: 4n }],
  ])('publishes nothing if the position of %s is beyond the end of the outbox', (_, positions) => {
    expect(run(positions)).toEqual(['restored'])
  })
})
