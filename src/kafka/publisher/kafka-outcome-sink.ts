import { catchError, defer, Observable, ReplaySubject, takeUntil } from 'rxjs'
import { TransientError } from '../../ports/errors'
import type { OutboxChunk } from '../../ports/journal'
import type { OutcomeSink, SinkSession } from '../../ports/outcome-sink'
import { publishedPosition, withAdmin } from '../admin'
import { transientOf } from '../kafka-client'
import { type OutcomeSinkOptions, openWriter, type Writer } from './outcome-writer'

export type { OutcomeSinkOptions } from './outcome-writer'

export interface KafkaOutcomeSink extends OutcomeSink {
  /** Ends every open session. Resolves when each has disconnected, or has been given up after 5 s. */
  stop(): Promise<void>
}

/**
 * Writes outcomes into Kafka, exactly once for readers of committed records. The results and dead letters of a chunk and
 * the position are one transaction. The broker lets only the newest session write and fences the older ones.
 */
export const createOutcomeSink = (options: OutcomeSinkOptions): KafkaOutcomeSink => {
  const stop$ = new ReplaySubject<void>(1)
  const stopping = new Set<Promise<void>>()

  /** Takes at most 5 s; never rejects. */
  const stopWriter = (writer: Writer): Promise<void> => {
    const stopped = writer.stop().finally(() => stopping.delete(stopped))
    stopping.add(stopped)
    return stopped
  }

  const open: OutcomeSink['open'] = () =>
    new Observable<SinkSession>(subscriber => {
      let writer: Writer | null = null
      const start = async (): Promise<void> => {
        const opened = await openWriter(options)
        if (subscriber.closed) {
          await stopWriter(opened)
          return
        }
        writer = opened
        subscriber.next({ position: opened.position, publish: chunk => publishOnce(opened, chunk) })
      }
      start().catch((error: unknown) =>
        subscriber.error(transientOf(error, 'cannot open the results topic for writing')),
      )
      return () => {
        if (writer !== null) stopWriter(writer)
      }
    }).pipe(takeUntil(stop$))

  const { kafka, transactionalId: groupId, resultsTopic: topic } = options
  const position: OutcomeSink['position'] = () =>
    defer(() => withAdmin(kafka, admin => publishedPosition(admin, { groupId, topic }))).pipe(
      catchError((error: unknown) => {
        throw transientOf(error, 'cannot ask Kafka how far outcomes are published')
      }),
    )

  return {
    open,
    position,
    stop: async () => {
      stop$.next()
      await Promise.all(stopping)
    },
  }
}

/** Unsubscribing before it ends makes the session refuse everything else: the transaction may or may not be committed. */
const publishOnce = (writer: Writer, chunk: OutboxChunk): Observable<void> =>
  new Observable(subscriber => {
    let isOver = false
    writer
      .publish(chunk)
      .then(() => {
        isOver = true
        subscriber.next()
        subscriber.complete()
      })
      .catch((error: unknown) => {
        isOver = true
        subscriber.error(error)
      })
    return () => {
      if (!isOver) writer.refuse(new TransientError('publishing was broken off'))
    }
  })
