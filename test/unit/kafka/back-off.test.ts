import { backOffMs } from '../../../src/kafka/kafka-client'

describe('the pause before Kafka is tried again', () => {
  it('doubles, and never keeps us away for long once it is back', () => {
    const pauses = [1, 2, 3, 4, 50, 5_000].map(failures => backOffMs(failures, () => 0))
    expect(pauses).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000])
  })

  it('is shortened by up to a fifth, at random', () => {
    expect(backOffMs(1, () => 0.5)).toBe(900)
  })
})
