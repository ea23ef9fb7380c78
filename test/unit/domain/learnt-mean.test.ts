import { createLearntMean } from '../../../src/domain/poll-interval'

describe('createLearntMean', () => {
  it('starts with what is known, or with the first value', () => {
    expect(createLearntMean(null).meanMs()).toBeNull()
    expect(createLearntMean(40).meanMs()).toBe(40)
    const mean = createLearntMean(null)
    mean.learn(10)
    mean.learn(20)
    expect(mean.meanMs()).toBe(15)
  })

  it('follows a change of pace within about ten values', () => {
    const mean = createLearntMean(1_000)
    for (let each = 0; each < 100; each += 1) mean.learn(1_000)
    for (let each = 0; each < 20; each += 1) mean.learn(100)
    expect(mean.meanMs()).toBeLessThan(250)
  })
})
