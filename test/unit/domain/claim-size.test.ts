import {
  afterSuccess,
  afterTimeLimit,
  type ClaimSize,
  restsForMs,
  withoutResting,
} from '../../../src/domain/claim-size'

describe('a claim that took too long', () => {
  it('is followed by a rest of three times as long, and then by a claim of half of it', () => {
    expect(afterTimeLimit(10_000, 30_000, 1_000)).toEqual({
      most: 5_000,
      restsUntil: 91_000,
      limitMs: 30_000,
    })
    expect(afterTimeLimit(10_000, 5, 1_000).restsUntil).toBe(2_000)
  })

  it('comes down to single moves', () => {
    let size = afterTimeLimit(10_000, 30_000, 0)
    let tries = 1
    for (; size.most > 1; tries += 1) size = afterTimeLimit(size.most, 30_000, 0)
    expect(tries).toBe(13)
    expect(afterTimeLimit(1, 30_000, 0).most).toBe(1)
  })

  const half: ClaimSize = { most: 5_000, restsUntil: 0, limitMs: 30_000 }

  it('is followed by larger ones once these take a quarter of that time at most', () => {
    expect(afterSuccess(half, 5_000, 8_000, 10_000)).toEqual(half)
    expect(afterSuccess(half, 5_000, 7_500, 40_000)).toEqual({ ...half, most: 10_000 })
    expect(afterSuccess(half, 5_000, 7_500, 10_000)).toBeNull()
  })

  it('stays small when a claim succeeds that was small anyway', () => {
    expect(afterSuccess(half, 100, 1, 10_000)).toEqual(half)
  })
})

describe('routes that rest', () => {
  const sizes = new Map<number, ClaimSize>([
    [1, { most: 5, restsUntil: 2_000, limitMs: 1 }],
    [2, { most: 5, restsUntil: 3_000, limitMs: 1 }],
  ])
  const routes = [{ routeId: 1 }, { routeId: 2 }, { routeId: 3 }]

  it('are left out, and the first of them says when to look again', () => {
    expect(withoutResting(routes, sizes, 1_500)).toEqual({ awake: [{ routeId: 3 }], nextInMs: 500 })
    expect(withoutResting(routes, sizes, 2_000)).toEqual({
      awake: [{ routeId: 1 }, { routeId: 3 }],
      nextInMs: 1_000,
    })
    expect(withoutResting(routes, sizes, 3_000)).toEqual({ awake: routes, nextInMs: null })
  })

  it('tell how long they rest', () => {
    expect([1, 2, 3].map(id => restsForMs(sizes, id, 2_500))).toEqual([0, 500, 0])
  })
})
