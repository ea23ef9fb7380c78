import { concatMap, defer, EMPTY, lastValueFrom, of, toArray } from 'rxjs'
import type { FleetFile } from '../files/open-fleet-file'
import type { KafkaOptions } from '../kafka/client'
import { createRequestProducer } from '../kafka/submit-producer'
import type { SourceRecord } from '../ports'

export interface SendRecordsOptions {
  readonly fleet: FleetFile
  readonly kafka: KafkaOptions
  readonly topic: string
  /** Which records go, and under which key. */
  readonly keyOf: (record: SourceRecord) => string | null
  /** Told of each chunk that is written. */
  readonly onSent: (records: number) => void
}

/** Writes the records of a file to a topic, in order; a null key leaves a record out. */
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
          concatMap(chunk =>
            defer(async () => {
              const outgoing = chunk.records.flatMap(({ value, timestampMs, ...record }) => {
                const key = keyOf({ value, timestampMs, ...record })
                return key === null || value === null ? [] : [{ key: Buffer.from(key), value, headers: {} }]
              })
              await producer.send(outgoing)
              onSent(outgoing.length)
              chunk.done()
            }).pipe(concatMap(() => EMPTY)),
          ),
          toArray(),
        ),
    )
  } finally {
    await producer.close()
  }
}
