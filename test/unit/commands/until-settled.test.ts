import { type Look, type UntilSettledDeps, untilSettled } from '../../../src/commands/move/follow-list'
import type { Conservation } from '../../../src/postgres/status/conservation'

const none: Conservation = {
  ...{ accepted: 0, moved: 0, failed: 0, rejected: 0, superseded: 0, duplicate: 0 },
  ...{ pending: 0, in_flight: 0, retrying: 0, held: 0, gap: 0 },
}

const lookAt = (counts: Conservation, isAllRead: boolean): Look => ({
  counts,
  isDone: isAllRead && counts.pending === 0,
})

const deps = (own: Partial<UntilSettledDeps>): UntilSettledDeps => ({
  isAllRead: () => true,
  look: async isAllRead => lookAt(none, isAllRead),
  openJobs: () => 0,
  progress: { show: () => undefined, say: () => undefined, end: () => undefined },
  aborted: () => false,
  ...own,
})

describe('waiting until a list is settled', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  it('does not go by counts that were on their way while the last of the list was read', async () => {
    let isAllRead = false
    const looks: number[] = []
    const later = [none, { ...none, accepted: 5, pending: 5 }, { ...none, accepted: 5, moved: 5 }]
    const settled = untilSettled(
      deps({
        isAllRead: () => isAllRead,
        look: async wasAllRead => {
          const counts = later[Math.min(looks.length, 2)] ?? none
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

  it('goes on while the counts cannot be had', async () => {
    let looks = 0
    const settled = untilSettled(deps({ look: async () => (++looks < 3 ? null : lookAt(none, true)) }))
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
})
