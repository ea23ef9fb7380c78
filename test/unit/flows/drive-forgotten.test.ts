import { appendDevices, routeTo, runVirtualDriver } from '../../support/virtual-driver'

const hour = 3_600_000
const minute = 60_000
const route = routeTo('iot-a')

const namesOf = (prefix: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `${prefix}-${String(from + index).padStart(6, '0')}`)

describe('jobs that a restored database has forgotten', () => {
  it('are read before a look-alike route goes on, so no device of theirs is sent again', () => {
    const { provider, counts, driver, movedTwice } = runVirtualDriver(hour, {}, {}, (world, { create }) => {
      create(route, namesOf('dev', 0, 20)).subscribe()
      create(route, namesOf('dev', 20, 30)).subscribe()
      appendDevices(world.journal, route, 'dev', 50)
      world.journal.acceptRestore()
      world.start()
    })
    expect(counts).toMatchObject({ moved: 50, gap: 0 })
    expect(movedTwice).toEqual([])
    expect(provider.moves.size).toBe(50)
    expect(driver.seen('forgotten-listed')).toBe(1)
    expect(driver.seen('forgotten-read')).toBe(2)
    expect(provider.audit.arrivals.create).toHaveLength(3)
  })

  it('are awaited, while other routes go on', () => {
    const other = routeTo('iot-b')
    const jobMs = (devices: number): number => (devices === 7 ? 30 * minute : minute)
    const doneAt = (untilMs: number) =>
      runVirtualDriver(untilMs, { jobMs }, {}, (world, { create }) => {
        create(route, namesOf('dev', 0, 7)).subscribe()
        appendDevices(world.journal, route, 'dev', 9)
        appendDevices(world.journal, other, 'other', 3)
        world.journal.acceptRestore()
        world.start()
      })
    expect(doneAt(20 * minute).counts).toMatchObject({ moved: 3, pending: 9 })
    const { counts, movedTwice, driver } = doneAt(hour)
    expect(counts).toMatchObject({ moved: 12, gap: 0 })
    expect(movedTwice).toEqual([])
    expect(driver.seen('job-created')).toBe(2)
  })

  it('tell nothing if they are of other people, whose devices are not asked for', () => {
    const { counts, provider } = runVirtualDriver(hour, {}, {}, (world, { create }) => {
      create(route, namesOf('their', 0, 7)).subscribe()
      create(routeTo('iot-elsewhere'), namesOf('more', 0, 7)).subscribe()
      appendDevices(world.journal, route, 'dev', 9)
      world.journal.acceptRestore()
      world.start()
    })
    expect(counts).toMatchObject({ moved: 9, gap: 0 })
    // Nobody asks for results of a job that looks like no route of ours.
    expect(provider.audit.arrivals.detail).toHaveLength(2)
  })

  it('are listed only when creates from before can no longer appear', () => {
    const { provider } = runVirtualDriver(hour, {}, { createSettleMs: 3 * minute }, world => {
      appendDevices(world.journal, route, 'dev', 9)
      world.journal.acceptRestore()
      world.start()
    })
    expect(Math.min(...provider.audit.arrivals.create)).toBeGreaterThan(3 * minute)
  })

  it('are held, with the routes that look like them, if their file leaves devices out', () => {
    const { counts, driver } = runVirtualDriver(
      hour,
      { onJobEnd: () => 'interrupted' },
      {},
      (world, { create }) => {
        create(route, namesOf('dev', 0, 4)).subscribe()
        appendDevices(world.journal, route, 'dev', 9)
        world.journal.acceptRestore()
        world.start()
      },
    )
    expect(counts).toMatchObject({ pending: 9, gap: 0 })
    expect(driver.seen('job-created')).toBe(0)
    expect(driver.events.find(({ kind }) => kind === 'forgotten-held')).toMatchObject({
      why: 'its results leave out 2 of 4 devices',
    })
  })

  it('are held while they take too long, and read when they end after all', () => {
    const jobMs = (devices: number): number => (devices === 7 ? 100 * minute : minute)
    const at = (untilMs: number) =>
      runVirtualDriver(untilMs, { jobMs }, {}, (world, { create }) => {
        create(route, namesOf('dev', 0, 7)).subscribe()
        appendDevices(world.journal, route, 'dev', 9)
        world.journal.acceptRestore()
        world.start()
      })
    expect(at(29 * minute).driver.seen('forgotten-held')).toBe(0)
    const held = at(35 * minute)
    expect(held.counts).toMatchObject({ pending: 9, gap: 0 })
    expect(held.driver.events.find(({ kind }) => kind === 'forgotten-held')).toMatchObject({
      why: 'it has not ended 30 minutes after it was created',
    })
    const { counts, movedTwice, driver } = at(2 * hour)
    expect(counts).toMatchObject({ moved: 9, gap: 0 })
    expect(movedTwice).toEqual([])
    expect(driver.seen('forgotten-read')).toBe(1)
  })

  it('are listed again as long as List is refused, and nothing is sent meanwhile', () => {
    const onCall = (operation: string, n: number) =>
      operation === 'list' && n <= 3 ? ({ kind: 'unknown', code: 'Forbidden' } as const) : 'ok'
    const { counts, movedTwice, driver } = runVirtualDriver(hour, { onCall }, {}, (world, { create }) => {
      create(route, namesOf('dev', 0, 4)).subscribe()
      appendDevices(world.journal, route, 'dev', 9)
      world.journal.acceptRestore()
      world.start()
    })
    expect(driver.seen('forgotten-unlisted')).toBeGreaterThan(0)
    expect(counts).toMatchObject({ moved: 9 })
    expect(movedTwice).toEqual([])
  })
})
