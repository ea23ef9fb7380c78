import fc from 'fast-check'
import { type CandidateRoute, chooseRoute } from '../../../src/domain/claim-rules'

const readiness = { batchMaxDevices: 100, batchMaxWaitMs: 5_000, nowMs: 1_000_000 }

const route = (routeId: number, pending: number, waitedMs: number, more: Partial<CandidateRoute> = {}) => ({
  routeId,
  pending,
  oldestAt: readiness.nowMs - waitedMs,
  priority: 'normal' as const,
  ...more,
})

const chosen = (...routes: CandidateRoute[]): number | string => {
  const choice = chooseRoute(routes, readiness)
  return choice.kind === 'ready' ? choice.route.routeId : `in ${choice.readyInMs}`
}

describe('chooseRoute', () => {
  it('chooses none and names no time without candidates', () => expect(chosen()).toBe('in null'))

  it('names the time until the first route is ready when none is', () =>
    expect(chosen(route(1, 5, 0), route(2, 5, 1_200))).toBe('in 3800'))

  it('chooses a full route at once', () => expect(chosen(route(1, 99, 0), route(2, 100, 0))).toBe(2))

  it('chooses a route whose oldest move has waited long enough', () =>
    expect(chosen(route(1, 1, 5_000), route(2, 99, 0))).toBe(1))

  it('prefers a full route to an older one', () =>
    expect(chosen(route(1, 99, 9_000), route(2, 100, 10))).toBe(2))

  it('prefers the oldest of equal routes', () => expect(chosen(route(1, 100, 10), route(2, 100, 20))).toBe(2))

  it('prefers an urgent route only when it is ready', () => {
    expect(chosen(route(1, 100, 9_000), route(2, 1, 5_000, { priority: 'urgent' }))).toBe(2)
    expect(chosen(route(1, 100, 9_000), route(2, 1, 4_999, { priority: 'urgent' }))).toBe(1)
  })

  it('chooses the same route whatever the order of the candidates', () => {
    const candidate = fc.record({
      routeId: fc.nat({ max: 9 }),
      pending: fc.integer({ min: 1, max: 110 }),
      oldestAt: fc.integer({ min: readiness.nowMs - 6_000, max: readiness.nowMs }),
      priority: fc.constantFrom('normal' as const, 'urgent' as const),
    })
    fc.assert(
      fc.property(fc.uniqueArray(candidate, { selector: ({ routeId }) => routeId }), candidates => {
        expect(chosen(...candidates)).toBe(chosen(...[...candidates].reverse()))
      }),
    )
  })
})
