import { Client } from 'pg'
import { map, merge, Observable, retry, share, timer } from 'rxjs'
import type { Changes } from '../../ports/journal'
import { type SessionOptions, sessionConfig } from './session'

const firstPauseMs = 250
const maxPauseMs = 10_000
const fallbackMs = 5_000

/** Emits once it listens and at every notification; errs when the connection is lost. */
const notifications = (url: string, session: SessionOptions): Observable<void> =>
  new Observable(subscriber => {
    const client = new Client(sessionConfig(url, session))
    client.on('error', error => subscriber.error(error))
    client.on('end', () => subscriber.error(new Error('the connection was closed')))
    client.on('notification', () => subscriber.next())
    const listen = async (): Promise<void> => {
      await client.connect()
      await client.query('listen device_move')
      // Whatever changed while nobody listened.
      subscriber.next()
    }
    listen().catch((error: unknown) => subscriber.error(error))
    return () => {
      // It may have broken already: nothing is left to be told.
      client.end().catch(() => undefined)
    }
  })

/**
 * Notifications of the journal over a connection of their own, which is opened again when it is lost. Beside them
 * a tick every 5 s, in case one was missed.
 */
export const createChanges = (url: string, session: SessionOptions = {}): Changes =>
  merge(
    notifications(url, session).pipe(
      retry({
        delay: (_, failures) => timer(Math.min(firstPauseMs * 2 ** failures, maxPauseMs)),
        resetOnSuccess: true,
      }),
    ),
    timer(fallbackMs, fallbackMs).pipe(map(() => undefined)),
  ).pipe(share())
