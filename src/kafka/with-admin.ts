import type { Admin } from 'kafkajs'
import { brief, createKafka, type KafkaOptions } from './client'
import { withinMs } from './within'

/** Runs `work` with an admin connection of its own and closes it. Gives up on an unreachable broker within seconds. */
export const withAdmin = async <T>(options: KafkaOptions, work: (admin: Admin) => Promise<T>): Promise<T> => {
  const admin = createKafka(options, brief).admin()
  try {
    await admin.connect()
    return await work(admin)
  } finally {
    await withinMs(admin.disconnect(), 5_000)
  }
}
