import { retryDelayMs } from '../../../src/domain/retry-policy'
import { reconnectPolicy } from '../../../src/kafka/kafka-client'

describe('the pause before Kafka is tried again', () => {
  it('doubles from one second, and is never longer than five', () => {
    const pauses = [1, 2, 3, 4, 50, 5_000].map(failures => retryDelayMs(failures, 1, reconnectPolicy))
    expect(pauses).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000])
  })

  it('is shortened at random, by up to half', () => {
    expect([0, 0.5].map(random => retryDelayMs(1, random, reconnectPolicy))).toEqual([500, 750])
  })
})
