import type { Running } from '../../../src/app/main'
import { stopWithin } from '../../../src/commands/process-end'

const never = new Promise<never>(() => undefined)
const running = (stop: Running['stop']): Running => ({ started: never, failed: never, stop })

describe('stopping the service within 8 s', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  it('ends as soon as the service has stopped', async () => {
    expect(await stopWithin(running(async () => undefined))).toBe('drained')
  })

  it('ends after 8 s, whatever is under way', async () => {
    let how: string | null = null
    stopWithin(running(() => never)).then(end => {
      how = end
    })
    await jest.advanceTimersByTimeAsync(7_999)
    expect(how).toBeNull()
    await jest.advanceTimersByTimeAsync(1)
    expect(how).toBe('late')
  })
})
