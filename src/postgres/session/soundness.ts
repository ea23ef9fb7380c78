/** Whether the database still has everything that this process has seen in it, and whether work on it is stopped. */
import { type Observable, Subject } from 'rxjs'
import { RestoredDatabaseError } from '../../domain/restored-database'
import type { Soundness } from '../../ports/soundness'
import { compareMarks, type SeenMarks } from './seen-marks'
import { createPool, type Meet, type PoolOptions } from './session'
import { inTransaction } from './transaction'

// The highest that any process has seen counts when a restore is accepted.
const storeStop = `
  insert into database_stop (reason, epoch, outbox_end) values ($1, $2, $3)
  on conflict (singleton) do update
    set epoch = greatest(database_stop.epoch, excluded.epoch),
        outbox_end = greatest(database_stop.outbox_end, excluded.outbox_end)`

/** `met` reports a database on which nothing may be done to everybody at once, before the connection is refused. */
export const createMeet =
  (seen: SeenMarks, met: (reason: string) => void): Meet =>
  async client => {
    const reason = await compareMarks(client, seen)
    if (reason === null) return
    met(reason)
    throw new RestoredDatabaseError(reason)
  }

export interface SoundnessPart extends Soundness {
  /** Refuses a connection of the flows to a database on which nothing may be done. */
  readonly meet: Meet
  end(): Promise<void>
}

/** It has a connection of its own, which is not refused. */
export const createSoundness = (
  url: string,
  seen: SeenMarks,
  session: Pick<PoolOptions, 'name' | 'onError'>,
): SoundnessPart => {
  const pool = createPool(url, { ...session, max: 1 })
  const met$ = new Subject<string>()
  const stop = (reason: string): Observable<void> =>
    inTransaction(pool, async client => {
      await client.query(storeStop, [reason, seen.epoch, seen.outboxEnd])
    })
  return {
    look: () => inTransaction(pool, client => compareMarks(client, seen)),
    stop,
    met$: met$.asObservable(),
    meet: createMeet(seen, reason => met$.next(reason)),
    end: () => pool.end(),
  }
}
