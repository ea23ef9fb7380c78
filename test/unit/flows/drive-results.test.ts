import { timer } from 'rxjs'
import type { CallFault } from '../../support/simulated-wire'
import { appendDevices, routeTo, runVirtualDriver } from '../../support/virtual-driver'

const hour = 3_600_000
const unknownCode: CallFault = { kind: 'unknown', code: 'iot.made.up' }

const onDetail = (faults: (n: number) => CallFault) => ({
  onCall: (operation: string, n: number): CallFault => (operation === 'detail' ? faults(n) : 'ok'),
})

describe('the results of an ended job', () => {
  it.each(['interrupted', 'completed'] as const)(
    'are never taken for none because of an unknown code: the %s job is held, nothing sent again',
    end => {
      const { provider, counts, driver } = runVirtualDriver(
        6 * hour,
        { ...onDetail(() => unknownCode), onJobEnd: () => end },
        // Too many to look up.
        { lookUpMaxDevices: 9 },
        ({ journal, start }) => {
          appendDevices(journal, routeTo('iot-a'), 'dev', 10)
          start()
        },
      )
      expect(counts).toMatchObject({ held: 10, gap: 0 })
      expect(driver.seen('job-held')).toBe(1)
      expect(provider.audit.arrivals.create).toHaveLength(1)
      expect(provider.audit.arrivals.detail).toHaveLength(5)
    },
  )

  it('are read once an unknown code has passed', () => {
    let ended = 0
    const onJobEnd = () => {
      ended += 1
      return ended === 1 ? 'interrupted' : 'completed'
    }
    const { counts, movedTwice } = runVirtualDriver(
      hour,
      { ...onDetail(n => (n <= 4 ? unknownCode : 'ok')), onJobEnd },
      {},
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 4)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 4, gap: 0 })
    expect(movedTwice).toEqual([])
  })

  it('are waited for while the account is refused', () => {
    const { counts, driver } = runVirtualDriver(
      hour,
      onDetail(n => (n <= 8 ? { kind: 'account-refused', code: 'Forbidden.RAM' } : 'ok')),
      {},
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 10, gap: 0 })
    expect(driver.seen('job-held')).toBe(0)
  })

  it('keep the rows of the first file when the fresh one cannot be read', () => {
    const { counts, provider } = runVirtualDriver(
      hour,
      {
        resultOf: device => (device === 'dev-000003' ? 'missing' : { code: '200' }),
        onFetch: n => (n === 1 ? 'ok' : 'unreadable'),
      },
      { lookUpMaxDevices: 0 },
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 9, failed: 1, gap: 0 })
    expect(provider.audit.arrivals.create).toHaveLength(1)
  })

  it('of an interrupted job without a file: its devices are sent again', () => {
    let ended = 0
    const { counts, provider } = runVirtualDriver(
      hour,
      {
        onJobEnd: () => {
          ended += 1
          return ended === 1 ? 'interrupted-without-file' : 'completed'
        },
      },
      {},
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 10, gap: 0 })
    expect(provider.audit.arrivals.create).toHaveLength(2)
  })

  it('that cannot be fetched do not use up the calls: forty such jobs leave room for the polls of the others', () => {
    let reachable = false
    const { counts, provider } = runVirtualDriver(
      4 * hour,
      { onFetch: () => (reachable ? 'ok' : 'unreachable') },
      { batchMaxDevices: 100 },
      ({ journal, start }, { audit }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 4_000)
        start()
        timer(hour).subscribe(() => {
          const before = audit.arrivals.detail.length
          timer(hour).subscribe(() => {
            // A link is good for ten minutes: so often at the most, of some 7,200 calls an hour.
            expect(audit.arrivals.detail.length - before).toBeLessThanOrEqual(40 * 7)
            reachable = true
          })
        })
      },
    )
    expect(counts).toMatchObject({ moved: 4_000, gap: 0 })
    expect(provider.audit.maxCallsInAnySecond()).toBeLessThanOrEqual(2)
  })

  it('that cannot be fetched do not fill the memory: nothing more is claimed until some of them are settled', () => {
    let reachable = false
    let created = 0
    const { counts, driver } = runVirtualDriver(
      8 * hour,
      { onFetch: () => (reachable ? 'ok' : 'unreachable') },
      { batchMaxDevices: 100, maxEndedMoves: 1_000 },
      ({ journal, start }, provider) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 6_000)
        start()
        timer(hour).subscribe(() => {
          created = provider.jobs.length
          reachable = true
        })
      },
    )
    // What was open when the bound was met comes on top.
    expect(created).toBeGreaterThanOrEqual(10)
    expect(created).toBeLessThanOrEqual(20)
    expect(counts).toMatchObject({ moved: 6_000, gap: 0 })
    expect(driver.driver.openJobs()).toMatchObject({ own: 0 })
  })

  it('are not waited for when it is time to stop', () => {
    let completedAt = 0
    runVirtualDriver(hour, { onFetch: () => 'unreachable' }, {}, ({ journal, driver, stop }) => {
      appendDevices(journal, routeTo('iot-a'), 'dev', 10)
      driver
        .drive(journal.drive(1n), () => true)
        .subscribe({
          complete: () => {
            completedAt = completedAt || 1
          },
        })
      timer(600_000).subscribe(() => {
        expect(completedAt).toBe(0)
        stop()
      })
      timer(601_000).subscribe(() => expect(completedAt).toBe(1))
    })
    expect(completedAt).toBe(1)
  })
})
