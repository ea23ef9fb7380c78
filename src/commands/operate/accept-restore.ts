/** `device-move accept-restore`: accepts a database that has lost commits, and topics that were made anew. */
import { firstValueFrom } from 'rxjs'
import type { Config } from '../../app/config'
import { kafkaOptions } from '../../app/wiring'
import { committedReason, largerOf, restoredReason } from '../../domain/restored-database'
import { publishedPosition, withAdmin } from '../../kafka/admin'
import { readLogStates } from '../../kafka/consumer/log-state'
import { type PartitionState, placeOf } from '../../kafka/consumer/place'
import { createIntakeJournal } from '../../postgres/intake/intake-journal'
import { acceptRestore, type KnownPartition, stopReason } from '../../postgres/outbox/accept-restore'
import { createOutbox } from '../../postgres/outbox/outbox'
import { createPool, type Pool } from '../../postgres/session/session'
import { configured, quietLogger } from '../configured'
import { CommandError, exitCode } from '../exit-code'
import { databaseProblem, kafkaProblem } from '../problems'

export interface AcceptRestoreFlags {
  readonly dryRun?: boolean
}

interface Partition extends KnownPartition, PartitionState {
  /** Why it is not read as it is; null: it is. */
  readonly other: string | null
  /** Why the database has lost some of it; null: it has not. */
  readonly lost: string | null
}

const partitionOf = (
  at: Pick<KnownPartition, 'clusterId' | 'topic' | 'partition'>,
  { stored, log }: PartitionState,
): Partition => {
  const name = `${at.topic}/${at.partition}`
  const place = placeOf(name, stored, log)
  const other = place.kind === 'another-log' || place.kind === 'stopped' ? place.reason : null
  const lost = other === null ? committedReason(name, log.committed, stored) : null
  return { ...at, low: log.low, committed: log.committed, stored, log, other, lost }
}

const partitionText = (partition: Partition): string[] => {
  const { topic, low, committed, stored, other, lost } = partition
  const name = `${topic}/${partition.partition}`
  if (other !== null) {
    const life = (stored?.life ?? 1) + 1
    return [
      `${name} holds another log: it is read from its beginning, offset ${low}. The ids of its outcomes, and the request ids`,
      `  that were not given, begin with ${topic}@${life}/${partition.partition}. A request id that was there before counts as a repeat.`,
      `  It is stopped because ${other}`,
    ]
  }
  if (lost === null || committed === null) return []
  const from = stored?.next ?? low
  return [
    `${name}: ${committed - from} records that were read before (offsets ${from} to ${committed - 1n}) are read again. Their devices are`,
    '  sent again, those that have moved too, and their results come a second time under the same ids.',
  ]
}

/** What Kafka and the database say. */
interface Found {
  /** The outbox is published up to this row. */
  readonly published: bigint
  /** The last row of the outbox. */
  readonly end: bigint
  /** Why the database counts as one that has lost commits; null: it does not. */
  readonly restored: string | null
  readonly partitions: readonly Partition[]
}

const readAll = async (config: Config, pool: Pool): Promise<Found> => {
  const { kafkaTransactionalId: publisher, kafkaRequestsTopic: topic, kafkaGroupId: groupId } = config
  const kafka = kafkaOptions(config, quietLogger(config))
  const journal = createIntakeJournal(pool)
  let clusterId = ''
  const positions = async (cluster: string, numbers: readonly number[]) => {
    clusterId = cluster
    return firstValueFrom(journal.positions(cluster, topic, numbers)).catch((error: unknown) => {
      throw databaseProblem(error, config.databaseUrl ?? '')
    })
  }
  const asked = async () => ({
    sink: await withAdmin(kafka, admin =>
      publishedPosition(admin, { groupId: publisher, topic: config.kafkaResultsTopic }),
    ),
    states: await readLogStates({ kafka, topic, groupId, partitions: null, positions }),
  })
  const { sink, states } = await asked().catch((error: unknown) => {
    // The database is asked in between.
    throw error instanceof CommandError ? error : kafkaProblem(error, config)
  })
  const stopped = await firstValueFrom(stopReason(pool))
  const outbox = await firstValueFrom(createOutbox(pool).position(publisher))
  const published = largerOf(sink, outbox.published)
  const partitions = [...states].map(([partition, state]) =>
    partitionOf({ clusterId, topic, partition }, state),
  )
  const lost = partitions.find(({ lost }) => lost !== null)?.lost ?? null
  const restored = stopped ?? restoredReason(published, outbox.end) ?? lost
  return { published, end: outbox.end, restored, partitions }
}

const restoredText = ({ published, end, restored }: Found): string[] => {
  if (restored === null) return []
  const outbox =
    published <= end
      ? []
      : [
          `Results are published up to ${published}, the outbox ends at ${end}: it goes on after ${published}, so that what is settled`,
          `  from now on is published. What rows ${end + 1n} to ${published} said cannot be derived again from this database; the`,
          '  results topic has it.',
        ]
  return [
    `The database has lost commits: ${restored}`,
    ...outbox,
    'Jobs made since it was copied are not known here: they hold slots of the account until they have ended.',
  ]
}

const settle = async (pool: Pool, publisher: string, found: Found, dryRun: boolean): Promise<void> => {
  const { published, end, partitions } = found
  const others = partitions.filter(({ other }) => other !== null)
  if (found.restored === null && others.length === 0) {
    console.log(`Nothing to settle: published up to ${published}, the outbox ends at ${end}.`)
    return
  }
  for (const line of restoredText(found)) console.log(line)
  for (const line of partitions.flatMap(partitionText)) console.log(line)
  if (dryRun) {
    console.log('Nothing was changed (--dry-run).')
    return
  }
  const isRestored = found.restored !== null
  const accepted = { publisher, published, isRestored, partitions, others }
  const { publishedAgain } = await firstValueFrom(acceptRestore(pool, accepted))
  if (publishedAgain > 0)
    console.log(
      `${publishedAgain} outbox rows that may have been published are published again, under the same ids.`,
    )
  console.log('Settled. A running service goes on within 10 s; it need not be restarted.')
}

export const acceptRestoreCommand = async ({ dryRun = false }: AcceptRestoreFlags): Promise<number> => {
  const config = configured(['kafkaBrokers', 'databaseUrl'])
  const url = config.databaseUrl ?? ''
  const pool = createPool(url, { max: 2, onError: () => undefined })
  try {
    await settle(pool, config.kafkaTransactionalId, await readAll(config, pool), dryRun)
    return exitCode.done
  } catch (error) {
    throw error instanceof CommandError ? error : databaseProblem(error, url)
  } finally {
    await pool.end()
  }
}
