import { defer, map, Observable, of, timer } from 'rxjs'
import type { Outcome } from '../../src/domain/outcome'
import { TransientError } from '../../src/ports/errors'
import type { OutboxChunk } from '../../src/ports/journal'
import type { OutcomeSink, SinkSession } from '../../src/ports/outcome-sink'

export interface FakeOutcomeSink {
  readonly sink: OutcomeSink
  /** What a reader of committed records sees, in order. */
  readonly published: () => readonly Outcome[]
  /** The last outbox id of each published chunk. */
  readonly positions: () => readonly bigint[]
  /** How many sessions were opened so far. */
  readonly sessions: () => number
  /**
   * The next publish fails and ends the session: `aborted` before anything is written, `answer-lost` after all is
   * written.
   */
  breakNext(how: 'aborted' | 'answer-lost'): void
  /** The next `open` throws. */
  refuseNext(error: Error): void
  /** The next `position` fails with the error. */
  refusePositionNext(error: Error): void
  /** While it is away, everything that is asked of it fails. */
  setAway(isAway: boolean): void
  /** Forgets the position, as a broker forgets that of a group which was not used for a week. */
  forgetPosition(): void
}

/** Outcomes in memory. A chunk is written whole or not at all, and the newest session fences the others. */
export const createFakeOutcomeSink = (
  options: { readonly publishMs?: number; readonly position?: bigint | null } = {},
): FakeOutcomeSink => {
  const published: Outcome[] = []
  const positions: bigint[] = []
  let committed = options.position ?? null
  let sessions = 0
  let breakage: 'aborted' | 'answer-lost' | null = null
  let refusal: Error | null = null
  let away: Error | null = null
  let positionRefusal: Error | null = null

  const sessionOf = (number: number): SinkSession & { end(): void } => {
    let isEnded = false
    let written = committed
    const fail = (text: string): never => {
      isEnded = true
      throw new TransientError(text)
    }
    const write = (chunk: OutboxChunk): void => {
      if (isEnded) fail('the session is over')
      if (number !== sessions) fail('fenced by a newer session')
      if (written !== null && chunk.lastId <= written) {
        throw new Error(`outbox ${chunk.lastId} was to be published after ${written}`)
      }
      const how = breakage
      breakage = null
      if (how === 'aborted') fail('aborted')
      published.push(...chunk.outcomes)
      positions.push(chunk.lastId)
      committed = chunk.lastId
      written = chunk.lastId
      if (how === 'answer-lost') fail('no answer to the commit')
    }
    return {
      position: committed,
      publish: chunk => {
        const { publishMs } = options
        return publishMs === undefined
          ? defer(() => of(write(chunk)))
          : timer(publishMs).pipe(map(() => write(chunk)))
      },
      end: () => {
        isEnded = true
      },
    }
  }

  return {
    sink: {
      position: () =>
        defer(() => {
          const error = away ?? positionRefusal
          positionRefusal = null
          if (error !== null) throw error
          return of(committed)
        }),
      open: () =>
        new Observable(subscriber => {
          const error = away ?? refusal
          refusal = null
          if (error !== null) {
            subscriber.error(error)
            return
          }
          sessions += 1
          const session = sessionOf(sessions)
          subscriber.next(session)
          return () => session.end()
        }),
    },
    published: () => published,
    positions: () => positions,
    sessions: () => sessions,
    breakNext: how => {
      breakage = how
    },
    refuseNext: error => {
      refusal = error
    },
    refusePositionNext: error => {
      positionRefusal = error
    },
    setAway: isAway => {
      away = isAway ? new TransientError('the broker is away') : null
    },
    forgetPosition: () => {
      committed = null
    },
  }
}
