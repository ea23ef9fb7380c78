import fc from 'fast-check'
import {
  type CandidateRoute,
  chooseRoute,
  createRouteChooser,
  mostPasses,
} from '../../../src/domain/claim-rules'

const readiness = { batchMaxDevices: 100, batchMaxWaitMs: 5_000, nowMs: 1_000_000 }

/** A route that grows: its last move has come just now. */
const route = (routeId: number, pending: number, waitedMs: number, more: Partial<CandidateRoute> = {}) => ({
  routeId,
  pending,
  oldestAt: readiness.nowMs - waitedMs,
  newestAt: readiness.nowMs,
  priority: 'normal' as const,
  ...more,
})
/** A thin route whose moves came over `overMs`, the last of them `quietMs` ago. */
const still = (routeId: number, quietMs: number, overMs = 0, more: Partial<CandidateRoute> = {}) =>
  route(routeId, 5, quietMs + overMs, { newestAt: readiness.nowMs - quietMs, ...more })

const chosen = (...routes: CandidateRoute[]): number | string => {
  const choice = chooseRoute(routes, readiness, mostPasses)
  return choice.kind === 'ready' ? choice.route.routeId : `in ${choice.readyInMs}`
}

describe('chooseRoute', () => {
  it('chooses none and names no time without candidates', () => expect(chosen()).toBe('in null'))

  it('names the time until the first route is ready when none is', () =>
    expect(chosen(route(1, 5, 0), route(2, 5, 1_200))).toBe('in 3800'))

  it('chooses a full route at once', () => expect(chosen(route(1, 99, 0), route(2, 100, 0))).toBe(2))

  it('chooses a route whose oldest move has waited long enough', () =>
    expect(chosen(route(1, 1, 5_000), route(2, 99, 0))).toBe(1))

  it('prefers a full route to an older one that grows', () =>
    expect(chosen(route(1, 99, 9_000), route(2, 100, 10))).toBe(2))

  it('prefers a thin route that has stopped growing to a full one, once it is ready', () => {
    expect(chosen(still(1, 5_000), route(2, 100, 60_000))).toBe(1)
    expect(chosen(still(1, 4_999), route(2, 100, 60_000))).toBe(2)
  })

  it('takes a thin route for one that grows until it was quiet as long as its moves took to come', () => {
    expect(chosen(still(1, 7_999, 8_000), route(2, 100, 10))).toBe(2)
    expect(chosen(still(1, 8_000, 8_000), route(2, 100, 10))).toBe(1)
  })

  it('prefers a thin route that grows to a full one after half an hour', () => {
    expect(chosen(route(1, 99, 1_799_999), route(2, 100, 10))).toBe(2)
    expect(chosen(route(1, 99, 1_800_000), route(2, 100, 10))).toBe(1)
  })

  it('prefers the oldest of thin routes, growing or not, when none is full', () =>
    expect(chosen(still(1, 6_000), route(2, 99, 9_000))).toBe(2))

  it('prefers an urgent full route to a normal thin one that has stopped growing', () =>
    expect(chosen(still(1, 9_000), route(2, 100, 10, { priority: 'urgent' }))).toBe(2))

  it('prefers the oldest of equal routes', () => expect(chosen(route(1, 100, 10), route(2, 100, 20))).toBe(2))

  it('prefers an urgent route only when it is ready', () => {
    expect(chosen(route(1, 100, 9_000), route(2, 1, 5_000, { priority: 'urgent' }))).toBe(2)
    expect(chosen(route(1, 100, 9_000), route(2, 1, 4_999, { priority: 'urgent' }))).toBe(1)
  })

  it('chooses the same route whatever the order of the candidates', () => {
    const candidate = fc.record({
      routeId: fc.nat({ max: 9 }),
      pending: fc.integer({ min: 1, max: 110 }),
      oldestAt: fc.integer({ min: readiness.nowMs - 20_000, max: readiness.nowMs - 6_000 }),
      newestAt: fc.integer({ min: readiness.nowMs - 6_000, max: readiness.nowMs }),
      priority: fc.constantFrom('normal' as const, 'urgent' as const),
    })
    fc.assert(
      fc.property(fc.uniqueArray(candidate, { selector: ({ routeId }) => routeId }), candidates => {
        expect(chosen(...candidates)).toBe(chosen(...[...candidates].reverse()))
      }),
    )
  })
})

describe('createRouteChooser', () => {
  const full = route(0, 100, 60_000)
  const thin = Array.from({ length: 300 }, (_, at) => still(at + 1, 20_000))
  /** What each of `times` claims takes, where a thin route is gone once it is claimed. */
  const claims = (choose: ReturnType<typeof createRouteChooser>, times: number): string => {
    const left = [...thin]
    return Array.from({ length: times }, () => {
      const choice = choose([full, ...left], readiness)
      if (choice.kind === 'none') throw new Error('nothing is ready')
      if (choice.route === full) return 'F'
      left.splice(left.indexOf(choice.route), 1)
      return 't'
    }).join('')
  }

  it('lets twenty thin routes pass full ones at once, and then every third claim be of a thin one', () =>
    expect(claims(createRouteChooser(), 35)).toBe(`${'t'.repeat(20)}${'FFt'.repeat(5)}`))

  it('lets twenty pass again after forty other claims', () => {
    const choose = createRouteChooser()
    claims(choose, 20)
    for (let claim = 0; claim < 40; claim += 1) choose([full], readiness)
    expect(claims(choose, 23)).toBe(`${'t'.repeat(20)}FFt`)
  })

  it('counts no pass while no route is full', () => {
    const choose = createRouteChooser()
    for (let claim = 0; claim < 40; claim += 1) choose(thin, readiness)
    expect(claims(choose, 20)).toBe('t'.repeat(20))
  })
})
