/** What the broker says of the partitions of a topic: their ends, the group's commits, and the record that was read last. */
import { type Admin, ConfigResourceTypes } from 'kafkajs'
import { fingerprintOf } from '../../domain/fingerprint'
import type { StoredPosition } from '../../ports/request-source'
import { committedOffsets, partitionNumbers, type Watermarks, watermarks, withAdmin } from '../admin'
import { brief, createKafka, disconnectMs, type KafkaOptions, withinMs } from '../kafka-client'
import { untilUnreadable } from '../kafkajs-patches/checked-batches'
import { type FetchBatch, type FetchedRecord, withFetch } from '../kafkajs-patches/fetch-record'
import { type LogState, offsetToCompare, type PartitionState } from './place'

/** Whether single records may be missing. Where the account may not ask, the topic counts as one that is not compacted. */
const isCompacted = async (admin: Admin, topic: string): Promise<boolean> => {
  const described = await admin
    .describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['cleanup.policy'] }],
    })
    .catch(() => null)
  const entries = described?.resources[0]?.configEntries ?? []
  return entries.some(
    ({ configName, configValue }) => configName === 'cleanup.policy' && /compact/.test(configValue),
  )
}

/** A record that cannot be decoded now could be once: it tells nothing. */
const fingerprintAt = async (
  fetch: FetchBatch,
  partition: number,
  offset: bigint,
): Promise<LogState['there']> => {
  const batch = await fetch(partition, offset)
  const { readable, unreadable } = untilUnreadable(batch)
  if (unreadable !== null && unreadable.offset <= offset) return 'unasked'
  const record: FetchedRecord | undefined = readable.find(each => each.offset === offset.toString())
  if (record === undefined || record.isControlRecord === true) return null
  const { key, value, timestamp } = record
  return fingerprintOf({ position: { offset }, key, value, timestampMs: Number(timestamp) })
}

type Stored = ReadonlyMap<number, StoredPosition>

export interface LogStatesOptions {
  readonly kafka: KafkaOptions
  readonly topic: string
  readonly groupId: string
  /** null: all of the topic. */
  readonly partitions: readonly number[] | null
  readonly positions: (clusterId: string, partitions: readonly number[]) => Promise<Stored>
}

/**
 * The state of partitions of the topic, with where the journal stands in them. A partition that the broker does not know is
 * left out.
 *
 * The group's commits are read first, then the journal, then the ends. In a sound journal each of them is then at most what
 * the next one says, also while another member still stores and commits.
 */
export const readLogStates = (options: LogStatesOptions): Promise<ReadonlyMap<number, PartitionState>> =>
  withAdmin(options.kafka, async admin => {
    const { topic, groupId } = options
    const { clusterId } = await admin.describeCluster()
    const committed = await committedOffsets(admin, topic, groupId)
    const numbers = options.partitions ?? (await partitionNumbers(admin, topic))
    const positions = await options.positions(clusterId, numbers)
    const ends = await watermarks(admin, topic)
    const records = await readRecords(options, positions, ends)
    const isMissing = [...records.values()].includes(null)
    const compacted = isMissing && (await isCompacted(admin, topic))
    return new Map(
      numbers.flatMap(partition => {
        const marks = ends.get(partition)
        if (marks === undefined) return []
        const there = records.get(partition)
        const log: LogState = {
          ...marks,
          committed: committed.get(partition) ?? null,
          there: there === undefined ? 'unasked' : there,
          isCompacted: compacted,
        }
        return [[partition, { stored: positions.get(partition), log }]]
      }),
    )
  })

/** The fingerprints that are needed, by partition. It connects only where one is. */
const readRecords = async (
  { kafka, topic }: LogStatesOptions,
  positions: Stored,
  ends: ReadonlyMap<number, Watermarks>,
): Promise<ReadonlyMap<number, LogState['there']>> => {
  const wanted = [...positions].flatMap(([partition, stored]): [number, bigint][] => {
    const marks = ends.get(partition)
    const offset = marks === undefined ? null : offsetToCompare(stored, marks)
    return offset === null ? [] : [[partition, offset]]
  })
  const found = new Map<number, LogState['there']>()
  if (wanted.length === 0) return found
  const readAll = async (fetch: FetchBatch): Promise<void> => {
    for (const [partition, offset] of wanted)
      found.set(partition, await fingerprintAt(fetch, partition, offset))
  }
  await withFetch(createKafka(kafka, brief), topic, readAll, closing => withinMs(closing, disconnectMs))
  return found
}
