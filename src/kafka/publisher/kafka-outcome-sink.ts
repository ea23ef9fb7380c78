import { catchError, defer, Observable } from 'rxjs'
import { TransientError } from '../../ports/errors'
import type { OutcomeSink, SinkSession } from '../../ports/outcome-sink'
import { publishedPosition, withAdmin } from '../admin'
import { transientOf } from '../kafka-client'
import { type OutcomeSinkOptions, openWriter, type Writer } from './outcome-writer'

export type { OutcomeSinkOptions } from './outcome-writer'

export interface KafkaOutcomeSink extends OutcomeSink {
  /** Settles when every session that was unsubscribed has disconnected, or has been given up after 5 s. */
  closed(): Promise<void>
}

/**
 * Outcomes into Kafka, exactly once for readers of committed records: each chunk's results, dead letters and the
 * position are one transaction. The broker lets one session write: opening a newer one fences this one.
 */
export const createOutcomeSink = (options: OutcomeSinkOptions): KafkaOutcomeSink => {
  const closing = new Set<Promise<void>>()

  /** Bounded; never rejects. */
  const close = (writer: Writer): Promise<void> => {
    const closed = writer.close().finally(() => closing.delete(closed))
    closing.add(closed)
    return closed
  }

  const open: OutcomeSink['open'] = () =>
    new Observable<SinkSession>(subscriber => {
      let writer: Writer | null = null
      const start = async (): Promise<void> => {
        const opened = await openWriter(options)
        if (subscriber.closed) {
          await close(opened)
          return
        }
        writer = opened
        subscriber.next({ position: opened.position, publish: chunk => publishOnce(opened, chunk) })
      }
      start().catch((error: unknown) =>
        subscriber.error(transientOf(error, 'cannot open the results topic for writing')),
      )
      return () => {
        if (writer !== null) close(writer)
      }
    })

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
    closed: async () => {
      await Promise.all(closing)
    },
  }
}

/** Cold; unsubscribing in the middle ends the session, since nobody can know then whether it was committed. */
const publishOnce = (writer: Writer, chunk: Parameters<SinkSession['publish']>[0]): Observable<void> =>
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
      if (!isOver) writer.end(new TransientError('publishing was broken off'))
    }
  })
