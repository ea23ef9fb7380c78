import { Observable } from 'rxjs'
import { type OutcomeSink, type SinkSession, TransientError } from '../ports'
import { type OutcomeSinkOptions, openWriter, type Writer } from './outcome-writer'

export type { OutcomeSinkOptions } from './outcome-writer'

import { transientOf } from './transient'

/**
 * Outcomes into Kafka, exactly once for readers of committed records: each chunk's results, dead letters and the
 * position are one transaction. The broker lets one session write: opening a newer one fences this one.
 */
export const createOutcomeSink = (options: OutcomeSinkOptions): OutcomeSink => ({
  open: () =>
    new Observable<SinkSession>(subscriber => {
      let writer: Writer | null = null
      const open = async (): Promise<void> => {
        const opened = await openWriter(options)
        if (subscriber.closed) {
          await opened.close()
          return
        }
        writer = opened
        subscriber.next({ position: opened.position, publish: chunk => publishOnce(opened, chunk) })
      }
      open().catch((error: unknown) =>
        subscriber.error(transientOf(error, 'cannot open the results topic for writing')),
      )
      return () => {
        // Nobody waits for it; it is bounded and never rejects.
        void writer?.close()
      }
    }),
})

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
