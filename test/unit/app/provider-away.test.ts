import { asyncScheduler, timer } from 'rxjs'
import type { ServiceStatus } from '../../../src/health/readiness'
import { createWorld, minute, names } from '../../support/service-world'
import { inVirtualTime } from '../../support/virtual-driver'

const away = { from: 30_000, until: 11 * minute }
const iso = (ms: number): string => new Date(ms).toISOString()

/** Moves 200 devices in two jobs of five minutes. No call reaches the provider while it is away. */
const run = () => {
  const lists: number[] = []
  const seen: ServiceStatus[] = []
  const world = createWorld({
    jobBaseMs: 5 * minute,
    onCall: operation => {
      const now = asyncScheduler.now()
      if (operation === 'list') lists.push(now)
      return now >= away.from && now < away.until ? { kind: 'not-sent', code: 'ECONNREFUSED' } : 'ok'
    },
  })
  inVirtualTime(20 * minute, () => {
    for (const name of names('meter', 200)) world.request(name)
    const { service } = world.replica('one')
    service.run$.subscribe()
    for (const at of [away.from - 1_000, 5 * minute, away.until + minute])
      timer(at).subscribe(() => seen.push(service.status()))
  })
  return { lists, seen, world }
}

describe('while the provider is away', () => {
  const { lists, seen, world } = run()
  const told = (kind: string) => world.events.filter(event => event.kind === kind)

  it('the status says so, and since when', () => {
    const [before, during, after] = seen
    expect(before?.provider).toBeNull()
    expect(during?.provider).toMatchObject({ kind: 'unreachable', operation: 'list', code: 'ECONNREFUSED' })
    const since = Date.parse(during?.provider?.since ?? '')
    expect(since).toBeGreaterThanOrEqual(away.from)
    expect(since).toBeLessThan(away.from + 30_000)
    expect(during?.flows.drive).toEqual({
      state: 'retrying',
      problem: expect.stringContaining(`cannot be reached since ${iso(since)}: ECONNREFUSED (list`),
    })
    expect(after).toMatchObject({ provider: null, flows: { drive: { state: 'running', problem: null } } })
  })

  it('one event says so, and one that it answers again', () => {
    expect(told('provider-unreachable')).toHaveLength(1)
    expect(told('provider-answers')).toHaveLength(1)
  })

  it('List is asked at pauses that grow to 30 s, and this is news once', () => {
    const during = lists.filter(at => at >= away.from && at < away.until)
    // There are two a minute, and some more at first.
    expect(during.length).toBeLessThan(40)
    const back = lists.find(at => at >= away.until) ?? Number.POSITIVE_INFINITY
    expect(back - away.until).toBeLessThanOrEqual(30_100)
    const retries = world.events.filter(event => event.kind === 'retrying')
    expect(retries.map(({ flow }) => flow)).toEqual(retries.map(() => 'list'))
    expect(retries.filter(({ isNews }) => isNews)).toHaveLength(1)
    // Each event names the pause that is made. The first two are left out, because they wait for the quota as well.
    const roundTripMs = 60
    const pauses = during.slice(1).map((at, index) => at - (during[index] ?? 0) - roundTripMs)
    expect(retries.slice(2, pauses.length).map(({ delayMs }) => delayMs)).toEqual(pauses.slice(2))
    expect(told('recovered')).toEqual([{ kind: 'recovered', flow: 'list' }])
  })

  it('no move is lost or made twice', () => {
    expect(world.journal.recount()).toMatchObject({ moved: 200, gap: 0 })
    expect([...world.provider.moves.values()].every(times => times === 1)).toBe(true)
  })
})
