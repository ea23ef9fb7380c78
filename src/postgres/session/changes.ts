/** Tells that the journal has changed: moves may be ready to claim, or outcomes to publish. */
import { Client } from 'pg'
import { map, merge, Observable, retry, share, timer } from 'rxjs'
import { retryDelayMs } from '../../domain/retry-policy'
import type { Changes } from '../../ports/journal'
import { type SessionOptions, sessionConfig } from './session'

/** Pauses before the connection is opened again: 500 ms after the first failure in a row, doubling up to 10 s. */
const reconnect = { backoffMs: 500, backoffMaxMs: 10_000 }
/** A process has one such connection, so its pauses need no jitter. */
const noJitter = 1
/** Changes are looked for this often without a notification, ms. */
const tickMs = 5_000

/** Emits once it listens and at every notification; fails when the connection is lost. */
const notifications = (url: string, session: SessionOptions): Observable<void> =>
  new Observable(subscriber => {
    const client = new Client(sessionConfig(url, session))
    client.on('error', error => subscriber.error(error))
    client.on('end', () => subscriber.error(new Error('the connection was closed')))
    client.on('notification', () => subscriber.next())
    const listen = async (): Promise<void> => {
      await client.connect()
      await client.query('listen device_move')
      // Something may have changed before it listened.
      subscriber.next()
    }
    listen().catch((error: unknown) => subscriber.error(error))
    return () => {
      // The connection may be broken already. The error has no reader, so it is ignored.
      client.end().catch(() => undefined)
    }
  })

/**
 * Notifications of the journal over a connection of their own, which is opened again when it is lost. A tick every 5 s
 * makes up for a notification that was missed.
 */
export const createChanges = (url: string, session: SessionOptions = {}): Changes =>
  merge(
    notifications(url, session).pipe(
      retry({
        delay: (_, failures) => timer(retryDelayMs(failures, noJitter, reconnect)),
        resetOnSuccess: true,
      }),
    ),
    timer(tickMs, tickMs).pipe(map(() => undefined)),
  ).pipe(share())
