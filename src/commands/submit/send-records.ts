/** A command's list of devices, and how it is sent to a topic. */
import { catchError, concatMap, defer, EMPTY, lastValueFrom, of, throwError, toArray } from 'rxjs'
import { messageOf } from '../../domain/error-text'
import { type FleetFile, openFleetFile } from '../../files/fleet-file'
import type { KafkaOptions } from '../../kafka/kafka-client'
import { createRequestProducer } from '../../kafka/publisher/request-producer'
import type { SourceRecord } from '../../ports/request-source'
import { asUsage, CommandError } from '../exit-code'

export interface SendRecordsOptions {
  readonly fleet: FleetFile
  readonly kafka: KafkaOptions
  readonly topic: string
  /** Key of the record; null leaves the record out. */
  readonly keyOf: (record: SourceRecord) => string | null
  /** Called for each chunk that is written, with the number of its records and the line of the file that it ends with. */
  readonly onSent: (records: number, lastLine: bigint) => void
}

const unreadable = (error: unknown) => throwError(() => new CommandError(messageOf(error)))

/**
 * Writes the records of a file to a topic, in order.
 * @throws CommandError when the file cannot be read to its end; any other error is Kafka's
 */
export const sendRecords = async ({
  fleet,
  kafka,
  topic,
  keyOf,
  onSent,
}: SendRecordsOptions): Promise<void> => {
  const producer = createRequestProducer({ kafka, topic })
  try {
    await lastValueFrom(
      fleet.source.chunks({ positions: () => of(new Map()), skip: () => EMPTY, stop: () => EMPTY }).pipe(
        catchError(unreadable),
        concatMap(chunk =>
          defer(async () => {
            const outgoing = chunk.records.flatMap(record => {
              const [key, value] = [keyOf(record), record.value]
              return key === null || value === null ? [] : [{ key: Buffer.from(key), value, headers: {} }]
            })
            await producer.send(outgoing)
            onSent(outgoing.length, chunk.records.at(-1)?.position.offset ?? 0n)
            chunk.done()
          }).pipe(concatMap(() => EMPTY)),
        ),
        toArray(),
      ),
    )
  } finally {
    await producer.stop()
  }
}

/** Opens the list of devices that a command was given. Ends the command with what is wrong if it cannot be read. */
export const openFleet = (path: string): Promise<FleetFile> => openFleetFile(path).catch(asUsage)
