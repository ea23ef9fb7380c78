import { type RestartableKafka, startRestartableKafka } from './restartable-kafka'

/** A broker of the suite's own, behind one link, in the place of the run's. It is there from the first test on. */
export const useRestartableKafka = (): (() => RestartableKafka) => {
  let kafka: RestartableKafka
  const shared = process.env.TEST_KAFKA_BROKERS
  beforeAll(async () => {
    kafka = await startRestartableKafka(1)
    process.env.TEST_KAFKA_BROKERS = kafka.brokers.join(',')
  })
  afterAll(async () => {
    process.env.TEST_KAFKA_BROKERS = shared
    await kafka.stop()
  })
  return () => kafka
}
