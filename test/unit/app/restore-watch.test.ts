import { timer } from 'rxjs'
import { createWorld, minute, names } from '../../support/service-world'
import { inVirtualTime } from '../../support/virtual-driver'

/** What `device-move accept-restore` does to the journal. */
const accept = (world: ReturnType<typeof createWorld>, position: bigint): void => {
  world.journal.store.counters.lastOutboxId = position
}

describe('a database that is older than what was published from it', () => {
  const restored = () => createWorld({}, { publishedBefore: 50n })

  it('stops every flow before it starts, and is reported once', () => {
    const world = restored()
    const { service } = world.replica('one')
    inVirtualTime(10 * minute, () => {
      for (const name of names('meter', 20)) world.request(name)
      service.run$.subscribe()
    })
    expect(world.journal.recount()).toMatchObject({ accepted: 0 })
    expect(world.provider.audit.arrivals.list).toEqual([])
    expect(world.outcomes.sessions()).toBe(0)
    expect(world.events.filter(({ kind }) => kind === 'database-restored')).toHaveLength(1)
    expect(world.events.filter(({ kind }) => kind === 'retrying')).toEqual([])
    const stopped = { state: 'stopped', problem: expect.stringContaining('accept-restore') }
    expect(service.status().flows).toEqual({ intake: stopped, drive: stopped, publish: stopped })
  })

  it('is used again without a restart once it is accepted, and new outcomes are published', () => {
    const world = restored()
    inVirtualTime(20 * minute, () => {
      for (const name of names('meter', 20)) world.request(name)
      world.replica('one').service.run$.subscribe()
      timer(minute).subscribe(() => accept(world, 50n))
    })
    expect(world.journal.recount()).toMatchObject({ moved: 20, gap: 0 })
    expect(world.outcomes.published()).toHaveLength(20)
    expect(world.outcomes.positions()[0]).toBeGreaterThan(50n)
    expect(world.events.filter(({ kind }) => kind === 'restore-accepted')).toHaveLength(1)
  })

  it('stops intake too when it is noticed only as the lease is taken again', () => {
    const world = createWorld()
    const { service, lease } = world.replica('one')
    inVirtualTime(20 * minute, () => {
      for (const name of names('meter', 20)) world.request(name)
      service.run$.subscribe()
      timer(5 * minute).subscribe(() => {
        accept(world, 0n)
        lease.lose()
      })
      timer(6 * minute).subscribe(() => {
        for (const name of names('late', 20)) world.request(name)
      })
    })
    expect(world.outcomes.published()).toHaveLength(20)
    expect(world.journal.recount()).toMatchObject({ accepted: 20 })
    expect(service.status().flows.intake.state).toBe('stopped')
  })

  it('is checked for again when the check fails in an unforeseen way, and no flow ends', () => {
    const world = createWorld()
    const { service, lease } = world.replica('one')
    let failure: unknown = null
    inVirtualTime(20 * minute, () => {
      for (const name of names('meter', 20)) world.request(name)
      service.run$.subscribe({
        error: (error: unknown) => {
          failure = error
        },
      })
      timer(5 * minute).subscribe(() => {
        world.outcomes.refusePositionNext(new Error('not what anybody expected'))
        lease.lose()
      })
      timer(6 * minute).subscribe(() => {
        for (const name of names('late', 20)) world.request(name)
      })
    })
    expect(failure).toBeNull()
    expect(world.outcomes.published()).toHaveLength(40)
  })

  it('lets the service stop while it waits', () => {
    const world = restored()
    let completed = false
    inVirtualTime(10 * minute, () => {
      const { service } = world.replica('one')
      service.run$.subscribe({
        complete: () => {
          completed = true
        },
      })
      timer(minute).subscribe(() => service.stop())
    })
    expect(completed).toBe(true)
    expect(world.table.holder).toBeNull()
  })
})

describe('a take-over while Kafka is away', () => {
  it('lets a replica drive on that has compared with Kafka once, and keeps one from driving that has not', () => {
    const moved = (hasCompared: boolean): number => {
      const world = createWorld()
      inVirtualTime(20 * minute, () => {
        const { service, lease } = world.replica('one')
        if (!hasCompared) world.outcomes.setAway(true)
        service.run$.subscribe()
        timer(minute).subscribe(() => {
          world.outcomes.setAway(true)
          for (const name of names('meter', 20)) world.request(name)
          lease.lose()
        })
      })
      return world.journal.recount().moved
    }
    expect([moved(true), moved(false)]).toEqual([20, 0])
  })
})
