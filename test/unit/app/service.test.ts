import { timer } from 'rxjs'
import type { Service } from '../../../src/app/service'
import { createWorld, minute, names } from '../../support/service-world'
import { inVirtualTime } from '../../support/virtual-driver'

const expectEachOnce = (world: ReturnType<typeof createWorld>, finals: number): void => {
  const published = world.outcomes.published()
  expect(new Set(published.map(({ id }) => id)).size).toBe(published.length)
  expect(published.filter(({ final }) => final)).toHaveLength(finals)
  expect([...world.provider.moves.values()].filter(times => times > 1)).toEqual([])
  expect(world.provider.audit.maxCallsInAnySecond()).toBeLessThanOrEqual(2)
  expect(world.journal.recount().gap).toBe(0)
}

describe('the service', () => {
  it('takes requests from the topic to their published outcomes', () => {
    const world = createWorld({
      resultOf: (device, times) =>
        device.endsWith('7') && times < 2 ? { code: 'iot.odd' } : { code: '200' },
    })
    inVirtualTime(20 * minute, () => {
      for (const name of names('meter', 250)) world.request(name)
      world.request('meter-0001')
      world.request('bad name')
      world.replica('one').service.run$.subscribe()
    })
    expect(world.journal.recount()).toMatchObject({
      accepted: 252,
      moved: 250,
      rejected: 1,
      duplicate: 1,
      gap: 0,
    })
    expectEachOnce(world, 251)
    expect(world.outcomes.published().filter(({ final }) => !final)).toHaveLength(25)
    expect([world.requests.committed(0), world.requests.committed(1)]).toEqual([125n, 127n])
  })

  it('publishes in the order of settlement, each chunk after the one before', () => {
    const world = createWorld()
    inVirtualTime(20 * minute, () => {
      for (const name of names('meter', 450)) world.request(name)
      world.replica('one').service.run$.subscribe()
    })
    const positions = world.outcomes.positions()
    expect(positions.length).toBeGreaterThan(1)
    expect([...positions].sort((a, b) => Number(a - b))).toEqual(positions)
    expect(new Set(positions).size).toBe(positions.length)
  })

  it.each(['aborted', 'answer-lost'] as const)(
    'publishes each outcome once when a transaction ends as %s',
    how => {
      const world = createWorld()
      inVirtualTime(20 * minute, () => {
        for (const name of names('meter', 300)) world.request(name)
        world.outcomes.breakNext(how)
        timer(20_000).subscribe(() => world.outcomes.breakNext(how))
        world.replica('one').service.run$.subscribe()
      })
      expectEachOnce(world, 300)
      expect(world.outcomes.sessions()).toBeGreaterThan(1)
    },
  )

  it('hands over to another replica without losing or repeating an outcome', () => {
    const world = createWorld()
    inVirtualTime(60 * minute, () => {
      for (const name of names('meter', 2_000)) world.request(name)
      const one = world.replica('one')
      one.service.run$.subscribe()
      world.replica('second').service.run$.subscribe()
      timer(12_000).subscribe(() => one.lease.lose())
    })
    expect(world.table.epoch).toBe(2n)
    expect(world.journal.recount()).toMatchObject({ moved: 2_000, gap: 0 })
    const published = world.outcomes.published()
    expect(new Set(published.map(({ id }) => id)).size).toBe(2_000)
    expect([...world.provider.moves.values()].filter(times => times > 1)).toEqual([])
  })

  it('keeps the quota across hand-overs, whenever they come', () => {
    const world = createWorld()
    inVirtualTime(30 * minute, () => {
      for (const name of names('meter', 4_000)) world.request(name)
      const replicas = ['one', 'second'].map(holder => ({ holder, ...world.replica(holder) }))
      for (const { service } of replicas) service.run$.subscribe()
      for (let turn = 0; turn < 20; turn += 1)
        timer(5_000 + turn * 3_137).subscribe(() =>
          replicas.find(({ holder }) => holder === world.table.holder)?.lease.lose(),
        )
    })
    expect(world.table.epoch).toBe(21n)
    expectEachOnce(world, 4_000)
  })

  it('stops with jobs left in flight, every settled outcome published and the lease given back', () => {
    const world = createWorld()
    let completed = false
    let service: Service | null = null
    inVirtualTime(20 * minute, () => {
      for (const name of names('meter', 3_000)) world.request(name)
      service = world.replica('one').service
      service.run$.subscribe({
        complete: () => {
          completed = true
        },
      })
      timer(15_000).subscribe(() => service?.stop())
    })
    expect(completed).toBe(true)
    const counts = world.journal.recount()
    expect(counts.gap).toBe(0)
    expect(counts.in_flight).toBeGreaterThan(0)
    expect(world.outcomes.published()).toHaveLength(counts.moved)
    expect(world.table.holder).toBeNull()
  })
})
