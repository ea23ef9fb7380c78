/** `device-move accept-restore`: settles what a restored database, or a topic made anew, leaves open. */
import { firstValueFrom } from 'rxjs'
import { kafkaOptions } from '../../app/wiring'
import { largerOf } from '../../domain/restored-database'
import {
  publishedPosition,
  type RequestLog,
  type RequestLogPartition,
  readRequestLog,
  withAdmin,
} from '../../kafka/admin'
import { createIntakeJournal } from '../../postgres/intake/intake-journal'
import { createOutbox } from '../../postgres/outbox/outbox'
import { acceptRestore } from '../../postgres/outbox/restored-positions'
import { createPool, type Pool } from '../../postgres/session/session'
import { configured, quietLogger } from '../configured'
import { exitCode } from '../exit-code'
import { databaseProblem, kafkaProblem } from '../problems'

export interface AcceptRestoreFlags {
  readonly dryRun?: boolean
}

interface Partition extends RequestLogPartition {
  /** Next offset as the database has it; null: the database does not know the partition. */
  readonly position: bigint | null
}

const isBeyondEnd = ({ position, high }: Partition): boolean => position !== null && position > high

/** How many records the group had read that this database does not know. */
const readAgain = ({ position, committed, high }: Partition): bigint =>
  position === null || committed === null || committed <= position || position > high
    ? 0n
    : committed - position

const partitionText = (topic: string, partition: Partition): string[] => {
  const name = `${topic}/${partition.partition}`
  const again = readAgain(partition)
  if (isBeyondEnd(partition))
    return [
      `${name}: its position ${partition.position} lies above its end ${partition.high}, so it is another log now: it is read`,
      `  from offset ${partition.low} on. Outcome ids, and request ids that were not given, are made of positions: they may`,
      '  meet those of the old log, and a request id that was there before counts as a repeat.',
    ]
  if (again > 0n)
    return [
      `${name}: ${again} records that were read before (offsets ${partition.position} to ${(partition.committed ?? 0n) - 1n}) are read again. Their devices are`,
      '  sent again, those that have moved too, and their results come a second time under the same ids.',
    ]
  return []
}

const outboxText = (position: bigint, end: bigint): string[] =>
  position <= end
    ? []
    : [
        `Results are published up to ${position}, the outbox ends at ${end}: it goes on after ${position}, so that what is settled`,
        `  from now on is published. What rows ${end + 1n} to ${position} said cannot be derived again from this database; the`,
        '  results topic has it.',
        'Jobs made since the backup are not known here: they hold slots of the account until they have ended.',
      ]

const readPartitions = async (pool: Pool, topic: string, log: RequestLog): Promise<Partition[]> => {
  const numbers = log.partitions.map(({ partition }) => partition)
  const positions = await firstValueFrom(createIntakeJournal(pool).positions(log.clusterId, topic, numbers))
  return log.partitions.map(at => ({ ...at, position: positions.get(at.partition)?.next ?? null }))
}

/** What Kafka remembers. */
interface Found {
  readonly publisher: string
  readonly topic: string
  /** The outbox is published up to this row; null: Kafka does not remember how far. */
  readonly sink: bigint | null
  readonly log: RequestLog
}

const settle = async (pool: Pool, { publisher, topic, sink, log }: Found, dryRun: boolean): Promise<void> => {
  const { published, end } = await firstValueFrom(createOutbox(pool).position(publisher))
  const position = largerOf(sink, published)
  const partitions = await readPartitions(pool, topic, log)
  const beyond = partitions.filter(isBeyondEnd)
  if (position <= end && beyond.length === 0) {
    console.log(`Nothing to settle: published up to ${position}, the outbox ends at ${end}.`)
    return
  }
  for (const line of outboxText(position, end)) console.log(line)
  for (const line of partitions.flatMap(partition => partitionText(topic, partition))) console.log(line)
  if (dryRun) {
    console.log('Nothing was changed (--dry-run).')
    return
  }
  const places = beyond.map(({ partition, low }) => ({ clusterId: log.clusterId, topic, partition, low }))
  const { publishedRows } = await firstValueFrom(acceptRestore(pool, publisher, position, places))
  if (publishedRows > 0) console.log(`${publishedRows} outbox rows that had been published are left out.`)
  console.log('Settled. A running service goes on within 10 s; it need not be restarted.')
}

export const acceptRestoreCommand = async ({ dryRun = false }: AcceptRestoreFlags): Promise<number> => {
  const config = configured(['kafkaBrokers', 'databaseUrl'])
  const { kafkaTransactionalId: publisher, kafkaRequestsTopic: topic } = config
  const read = withAdmin(kafkaOptions(config, quietLogger(config)), async admin => ({
    sink: await publishedPosition(admin, { groupId: publisher, topic: config.kafkaResultsTopic }),
    log: await readRequestLog(admin, topic, config.kafkaGroupId),
  }))
  const found = await read.catch((error: unknown) => {
    throw kafkaProblem(error, config)
  })
  const url = config.databaseUrl ?? ''
  const pool = createPool(url, { max: 2, onError: () => undefined })
  try {
    await settle(pool, { publisher, topic, ...found }, dryRun)
    return exitCode.done
  } catch (error) {
    throw databaseProblem(error, url)
  } finally {
    await pool.end()
  }
}
