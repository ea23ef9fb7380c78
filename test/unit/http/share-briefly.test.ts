import { shareBriefly } from '../../../src/http/share-briefly'

const after = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

describe('shareBriefly', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  const making = (tookMs: number) => {
    let made = 0
    const ask = shareBriefly(async () => {
      await after(tookMs)
      made += 1
      return made
    })
    return ask
  }

  it('makes one answer for all who ask meanwhile, and for twenty times as long after', async () => {
    const ask = making(10)
    const first = Promise.all([ask(), ask(), ask()])
    await jest.advanceTimersByTimeAsync(10)
    expect(await first).toEqual([1, 1, 1])
    await jest.advanceTimersByTimeAsync(199)
    expect(await ask()).toBe(1)
    await jest.advanceTimersByTimeAsync(1)
    const next = ask()
    await jest.advanceTimersByTimeAsync(10)
    expect(await next).toBe(2)
  })

  it('keeps no answer for longer than half a second', async () => {
    const ask = making(1_000)
    const first = ask()
    await jest.advanceTimersByTimeAsync(1_500)
    expect(await first).toBe(1)
    const next = ask()
    await jest.advanceTimersByTimeAsync(1_000)
    expect(await next).toBe(2)
  })

  it('keeps no failure', async () => {
    let times = 0
    const ask = shareBriefly(async () => {
      times += 1
      if (times === 1) throw new Error('away')
      return times
    })
    await expect(ask()).rejects.toThrow('away')
    expect(await ask()).toBe(2)
  })
})
