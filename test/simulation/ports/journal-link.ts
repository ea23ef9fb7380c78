/** The journal as one process reaches it: over a network that may fail before a transaction or lose its answer. */
import { asyncScheduler, defer, map, merge, type Observable, Subject, tap, throwError, timer } from 'rxjs'
import { RestoredDatabaseError } from '../../../src/domain/restored-database'
import { TransientError } from '../../../src/ports/errors'
import type { Changes } from '../../../src/ports/journal'
import type { Soundness } from '../../../src/ports/soundness'
import type { FakeJournal } from '../../support/fake-journal'
import { createFakeSoundness } from '../../support/fake-journal/soundness'
import type { Owner } from '../clock'
import type { Draw } from '../draw'
import type { Faults } from '../faults'
import type { Network } from '../network'

export interface JournalLinkDeps {
  readonly network: Network
  readonly faults: Faults
  readonly draw: Draw
  readonly journal: FakeJournal
  /** Appends do not compare the journal with what was seen. */
  readonly appendsBlindly: boolean
  /** One way, ms. */
  readonly latencyMs: () => number
  /** Called when a transaction is done and its answer has not left yet: the process may end or freeze there. */
  readonly atStep: (owner: Owner, step: string) => void
}

export interface JournalLink {
  /** One transaction. */
  statement<T>(name: string, work: () => Observable<T>): Observable<T>
  /** The same port, reached over this link. */
  reach<Port extends object>(port: Port): Port
  readonly changes$: Changes
  readonly soundness: Soundness
  /** Every transaction fails for the next `ms`. */
  cutFor(ms: number): void
}

/** As the real adapter does, it looks for changes at this interval without a notification, ms. */
const fallbackMs = 5_000

export const createJournalLink = (owner: Owner, deps: JournalLinkDeps): JournalLink => {
  const { network, faults, draw, latencyMs, atStep } = deps
  let cutUntil = 0

  /** The process compares the journal with what it has seen whenever it reaches it, as a new connection does. */
  const sound = createFakeSoundness(deps.journal.store)
  const met$ = new Subject<string>()
  const met = <T>(work: () => Observable<T>): Observable<T> => {
    const why = sound.meet()
    if (why !== null) return throwError(() => new RestoredDatabaseError(why))
    return work().pipe(tap(() => sound.note()))
  }
  const statement = <T>(name: string, work: () => Observable<T>): Observable<T> =>
    sent(name, () => (name === 'append' && deps.appendsBlindly ? work() : met(work))).pipe(
      tap({
        error: error => {
          if (error instanceof RestoredDatabaseError) met$.next(error.message)
        },
      }),
    )

  const sent = <T>(name: string, work: () => Observable<T>): Observable<T> => {
    const isCut = () => asyncScheduler.now() < cutUntil
    const crossing = () => {
      const slowMs = faults.hit('journal slow') ? draw.between(300, 4_000) : 0
      const isRefused = isCut() || faults.hit('journal refused')
      const isLost = !isRefused && faults.hit('commit answer lost')
      return {
        thereMs: latencyMs() + slowMs,
        backMs: latencyMs(),
        ...(isRefused ? { refused: new TransientError(`${name}: connection refused`) } : {}),
        ...(isLost ? { answerLost: new TransientError(`${name}: connection lost before the answer`) } : {}),
        done: () => atStep(owner, name),
      }
    }
    return defer(() => network.call(owner, work, crossing()))
  }

  return {
    statement,
    reach: <Port extends object>(port: Port): Port => {
      const members = Object.entries(port).map(([name, member]: [string, unknown]) => [
        name,
        typeof member === 'function'
          ? (...args: readonly unknown[]) => statement(name, () => member(...args))
          : member,
      ])
      return Object.fromEntries(members) as Port
    },
    soundness: {
      look: () => sent('look', () => sound.look()),
      stop: reason => sent('stop', () => sound.stop(reason)),
      met$: met$.asObservable(),
    },
    changes$: merge(
      network.listen(owner, deps.journal.store.changed$, () =>
        faults.hit('notification lost') ? null : latencyMs(),
      ),
      timer(fallbackMs, fallbackMs).pipe(map(() => undefined)),
    ),
    cutFor: ms => {
      cutUntil = asyncScheduler.now() + ms
    },
  }
}
