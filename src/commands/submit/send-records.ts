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
  /** Which records go, and under which key. */
  readonly keyOf: (record: SourceRecord) => string | null
  /** Told of each chunk that is written: how many of its records, and the file's line that it ends with. */
  readonly onSent: (records: number, lastLine: bigint) => void
}

/** The file cannot be read to its end. */
const unreadable = (error: unknown) => throwError(() => new CommandError(messageOf(error)))

/**
 * Writes the records of a file to a topic, in order; a null key leaves a record out.
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
      fleet.source
        .chunks(() => of(new Map()))
        .pipe(
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

/** The list of devices a command was given, or the end of the command with what is wrong with it. */
export const openFleet = (path: string): Promise<FleetFile> => openFleetFile(path).catch(asUsage)
