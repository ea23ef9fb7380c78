import { startKafka } from '../../src/tools/embedded/kafka'
import { startEmbeddedPostgres } from '../../src/tools/embedded/postgres'
import { createTemplate, testBinaries } from './database'
import { keepSharedServers } from './shared-servers'

const splitBrokers = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map(broker => broker.trim())
    .filter(broker => broker !== '')

const startDatabase = async () => {
  const url = process.env.TEST_POSTGRES_URL
  return url ? { url, stop: async () => undefined } : startEmbeddedPostgres({ binaries: testBinaries() })
}

const noticeWithoutKafka = (reason: string): string => {
  const rule = '='.repeat(100)
  return [
    '',
    rule,
    'NO KAFKA: the Kafka suites are LEFT OUT of this run. Set KAFKA_BROKERS, start Docker, or install',
    'Java 17 or newer and Maven. What was tried:',
    reason,
    rule,
    '',
  ].join('\n')
}

/** One PostgreSQL server and one Kafka broker for the whole run; suites make databases and topics of their own. */
export default async function startServers(): Promise<void> {
  const starting = {
    database: startDatabase(),
    kafka: startKafka({ brokers: splitBrokers(process.env.KAFKA_BROKERS) }),
  }
  const [database, kafka] = await Promise.allSettled([starting.database, starting.kafka])
  let dropTemplate = async (): Promise<void> => undefined
  const stop = async () => {
    await dropTemplate()
    if (database.status === 'fulfilled') await database.value.stop()
    if (kafka.status === 'fulfilled' && kafka.value.kind === 'running') await kafka.value.stop()
  }
  try {
    // Both have settled, so awaiting them again only throws what went wrong.
    const { url } = await starting.database
    const broker = await starting.kafka
    process.env.TEST_POSTGRES_URL = url
    const template = await createTemplate()
    dropTemplate = template.drop
    process.env.TEST_POSTGRES_TEMPLATE = template.url
    if (broker.kind === 'running') {
      process.env.TEST_KAFKA_BROKERS = broker.brokers.join(',')
    } else {
      const notice = noticeWithoutKafka(broker.reason)
      if (process.env.REQUIRE_KAFKA === '1') throw new Error(`REQUIRE_KAFKA=1${notice}`)
      process.stderr.write(notice)
    }
  } catch (error) {
    await stop()
    throw error
  }
  keepSharedServers({ stop })
}
