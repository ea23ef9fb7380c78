import { type Look, type UntilSettledDeps, untilSettled } from '../../../src/commands/move/follow-list'
import type { Conservation } from '../../../src/postgres/status/conservation'
import { noMoves } from '../../support/no-moves'

const lookAt = (counts: Conservation, isAllRead: boolean): Look => ({
  counts,
  isDone: isAllRead && counts.pending === 0,
})

const deps = (own: Partial<UntilSettledDeps>): UntilSettledDeps => ({
  isAllRead: () => true,
  look: async isAllRead => lookAt(noMoves, isAllRead),
  openJobs: () => 0,
  progress: { show: () => undefined, say: () => undefined, end: () => undefined },
  aborted: () => false,
  failed: new Promise(() => undefined),
  ...own,
})

/** A progress that records its calls. */
const recorded = () => {
  const done: string[] = []
  const progress = {
    show: () => done.push('show'),
    say: () => done.push('say'),
    end: () => done.push('end'),
  }
  return { done, progress }
}

describe('waiting until a list is settled', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  it('does not rely on counts that were on their way while the last of the list was read', async () => {
    let isAllRead = false
    const looks: number[] = []
    const later = [noMoves, { ...noMoves, accepted: 5, pending: 5 }, { ...noMoves, accepted: 5, moved: 5 }]
    const settled = untilSettled(
      deps({
        isAllRead: () => isAllRead,
        look: async wasAllRead => {
          const counts = later[Math.min(looks.length, 2)] ?? noMoves
          // Between the moment of these counts and their arrival the list is read to its end.
          isAllRead = true
          looks.push(counts.accepted)
          return lookAt(counts, wasAllRead)
        },
      }),
    )
    await jest.advanceTimersByTimeAsync(10_000)
    expect(await settled).toBe(true)
    expect(looks).toEqual([0, 5, 5])
  })

  it('goes on while the database cannot be reached', async () => {
    let looks = 0
    const settled = untilSettled(deps({ look: async () => (++looks < 3 ? null : lookAt(noMoves, true)) }))
    await jest.advanceTimersByTimeAsync(10_000)
    expect(await settled).toBe(true)
    expect(looks).toBe(3)
  })

  it('ends when it is aborted', async () => {
    let isAborted = false
    const settled = untilSettled(deps({ isAllRead: () => false, aborted: () => isAborted }))
    await jest.advanceTimersByTimeAsync(1_000)
    isAborted = true
    await jest.advanceTimersByTimeAsync(1_000)
    expect(await settled).toBe(false)
  })

  it('ends the progress when the list is settled', async () => {
    const { done, progress } = recorded()
    expect(await untilSettled(deps({ progress }))).toBe(true)
    expect(done).toEqual(['show', 'end'])
  })

  it('ends with the error of a service that cannot go on, and ends the progress', async () => {
    const { done, progress } = recorded()
    const error = new Error('the service cannot go on')
    const settled = untilSettled(deps({ progress, isAllRead: () => false, failed: Promise.resolve(error) }))
    await expect(settled).rejects.toBe(error)
    expect(done.at(-1)).toBe('end')
  })

  it('shows nothing of a look that comes back after the service has failed', async () => {
    const { done, progress } = recorded()
    let comeBack: (look: Look) => void = () => undefined
    const look = new Promise<Look>(resolve => {
      comeBack = resolve
    })
    const failed = Promise.resolve(new Error('the service cannot go on'))
    await expect(untilSettled(deps({ progress, look: () => look, failed }))).rejects.toThrow('cannot go on')
    comeBack(lookAt(noMoves, true))
    await jest.advanceTimersByTimeAsync(10_000)
    expect(done).toEqual(['end'])
  })

  it('shows nothing of a look that fails after the service has failed', async () => {
    const { done, progress } = recorded()
    let fail: (error: Error) => void = () => undefined
    const look = new Promise<Look>((_resolve, reject) => {
      fail = reject
    })
    const failed = Promise.resolve(new Error('the service cannot go on'))
    await expect(untilSettled(deps({ progress, look: () => look, failed }))).rejects.toThrow('cannot go on')
    fail(new Error('too late'))
    await jest.advanceTimersByTimeAsync(10_000)
    expect(done).toEqual(['end'])
  })
})
