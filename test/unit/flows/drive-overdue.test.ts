import { timer } from 'rxjs'
import type { FlowEvent } from '../../../src/domain/flow-event'
import { appendDevices, routeTo, runVirtualDriver } from '../../support/virtual-driver'

const minute = 60_000
const hour = 60 * minute
const never = 20 * 24 * hour

/** The first job of the provider never ends, and those after it take `usualMs`. */
const firstNeverEnds = (usualMs: number) => {
  let jobs = 0
  return () => {
    jobs += 1
    return jobs === 1 ? never : usualMs
  }
}
const overdueEvents = (events: readonly FlowEvent[]) =>
  events.flatMap(event => (event.kind === 'job-overdue' ? [event] : []))

describe('a job that never ends', () => {
  it.each([
    ['half an hour', 30_000, 30],
    ['ten times the usual time, where that is longer', 6 * minute, 60],
  ])('is reported once, after %s, and keeps its slot', (_after, usualMs, minutes) => {
    const { driver, counts } = runVirtualDriver(
      5 * hour,
      { jobMs: firstNeverEnds(usualMs) },
      { batchMaxDevices: 10, quotaJobs: 2 },
      ({ journal, start, driver: made }) => {
        appendDevices(journal, routeTo('iot-stuck'), 'stuck', 10)
        start()
        timer(minute).subscribe(() => appendDevices(journal, routeTo('iot-well'), 'well', 50))
        timer(4 * hour).subscribe(() => expect(made.openJobs()).toEqual({ own: 1, searching: 0, foreign: 0 }))
      },
    )
    expect(counts).toMatchObject({ moved: 50, in_flight: 10 })
    const events = overdueEvents(driver.events)
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({ batchId: 1, providerJobId: 'Simulated000000001' })
    // How long jobs take is known to a part of the time between two looks.
    for (const ms of [events[0]?.ageMs ?? 0, events[0]?.mostMs ?? 0])
      expect(Math.abs(ms / minute - minutes)).toBeLessThan(minutes / 10)
  })

  it.each(['absent', 'fail'] as const)(
    'is let go soon after it was resolved by %s, and then takes a slot as one that is not ours',
    as => {
      let letGoAt = 0
      const { driver, counts } = runVirtualDriver(
        4 * hour,
        { jobMs: firstNeverEnds(30_000) },
        { batchMaxDevices: 10, quotaJobs: 2 },
        ({ journal, start, driver: made }) => {
          appendDevices(journal, routeTo('iot-stuck'), 'stuck', 10)
          start()
          timer(2 * hour).subscribe(() => journal.resolveRunning(1, as))
          timer(2 * hour + 40_000).subscribe(() => {
            letGoAt = made.openJobs()?.foreign ?? 0
          })
          timer(3 * hour).subscribe(() =>
            expect(made.openJobs()).toEqual({ own: 0, searching: 0, foreign: 1 }),
          )
        },
      )
      expect(letGoAt).toBe(1)
      expect(driver.seen('job-resolved')).toBe(1)
      expect(counts).toMatchObject(as === 'absent' ? { moved: 10, gap: 0 } : { failed: 10, gap: 0 })
      expect(driver.seen('defect')).toBe(0)
    },
  )

  it('is watched by the driver after a restart too, from when its create left', () => {
    const { driver } = runVirtualDriver(
      3 * hour,
      { jobMs: firstNeverEnds(30_000) },
      { batchMaxDevices: 10, quotaJobs: 2 },
      ({ journal, start, events }) => {
        appendDevices(journal, routeTo('iot-stuck'), 'stuck', 10)
        const first = start()
        timer(20 * minute).subscribe(() => {
          first.unsubscribe()
          journal.takeOver()
          start()
        })
        timer(29 * minute).subscribe(() => expect(overdueEvents(events)).toEqual([]))
        timer(31 * minute).subscribe(() => expect(overdueEvents(events)).toHaveLength(1))
      },
    )
    expect(driver.seen('job-overdue')).toBe(1)
  })
})
