import { endAtNextSignal, firstSignal } from '../../../src/commands/process-end'

describe('the first signal to a command', () => {
  const before = { SIGINT: process.listeners('SIGINT'), SIGTERM: process.listeners('SIGTERM') }
  let killed: unknown[]

  beforeEach(() => {
    jest.useFakeTimers()
    killed = []
    jest.spyOn(process, 'kill').mockImplementation((_pid, name) => {
      killed.push(name)
      return true
    })
  })
  afterEach(() => {
    jest.restoreAllMocks()
    jest.useRealTimers()
    for (const name of ['SIGINT', 'SIGTERM'] as const)
      for (const listener of process.listeners(name))
        if (!before[name].includes(listener)) process.off(name, listener)
  })

  it('is the command’s to act on, and so is its echo by npm', async () => {
    const signal = firstSignal()
    process.emit('SIGINT', 'SIGINT')
    process.emit('SIGINT', 'SIGINT')
    expect(await signal).toBe('SIGINT')
    expect(killed).toEqual([])
  })

  it('is followed by one that ends the process, more than a second later', () => {
    firstSignal()
    process.emit('SIGINT', 'SIGINT')
    jest.advanceTimersByTime(1_001)
    process.emit('SIGTERM', 'SIGTERM')
    expect(killed).toEqual(['SIGTERM'])
  })

  it('is followed by one that calls what the command gave for it, more than a second later', () => {
    const atOnce = jest.fn()
    firstSignal(atOnce)
    process.emit('SIGINT', 'SIGINT')
    jest.advanceTimersByTime(1_001)
    process.emit('SIGINT', 'SIGINT')
    expect(atOnce).toHaveBeenCalledTimes(1)
    expect(killed).toEqual([])
  })

  it('is followed by one that calls what the command gave for it, also when only its output is left', () => {
    const atOnce = jest.fn()
    firstSignal(atOnce)
    process.emit('SIGINT', 'SIGINT')
    endAtNextSignal()
    jest.advanceTimersByTime(1_001)
    process.emit('SIGTERM', 'SIGTERM')
    expect(atOnce).toHaveBeenCalledTimes(1)
    expect(killed).toEqual([])
  })

  it('ends the process once the command is done and only its output is still being written', async () => {
    let isResolved = false
    firstSignal().then(() => {
      isResolved = true
    })
    endAtNextSignal()
    process.emit('SIGINT', 'SIGINT')
    await jest.advanceTimersByTimeAsync(0)
    expect(killed).toEqual(['SIGINT'])
    expect(isResolved).toBe(false)
  })
})
