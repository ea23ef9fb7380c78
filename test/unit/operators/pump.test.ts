import { createPump } from '../../../src/operators/semaphore'

describe('createPump', () => {
  it('repeats the step until it returns false', () => {
    let left = 3
    const pump = createPump(() => {
      left -= 1
      return left > 0
    })
    pump()
    expect(left).toBe(0)
  })

  it('keeps the stack flat when each step pumps again', () => {
    let steps = 0
    const pump = createPump(() => {
      steps += 1
      pump()
      return steps < 100_000
    })
    pump()
    expect(steps).toBe(100_000)
  })

  it('can be used again after a step that threw', () => {
    let broken = true
    let steps = 0
    const pump = createPump(() => {
      if (broken) throw new Error('broken')
      steps += 1
      return false
    })
    expect(pump).toThrow('broken')
    broken = false
    pump()
    expect(steps).toBe(1)
  })
})
