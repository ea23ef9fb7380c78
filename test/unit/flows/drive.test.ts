import { timer } from 'rxjs'
import { refusing } from '../../support/refusing'
import { appendDevices, routeTo, runVirtualDriver, seeded } from '../../support/virtual-driver'

const hour = 3_600_000

describe('drive$', () => {
  it('moves 60,000 devices of 12 routes within the quota, each once', () => {
    const { provider, counts, driver, movedTwice } = runVirtualDriver(hour, {}, {}, ({ journal, start }) => {
      for (let route = 0; route < 12; route += 1)
        appendDevices(journal, routeTo(`iot-t${route}`), `r${route}`, 5_000)
      start()
    })
    expect(counts).toMatchObject({ accepted: 60_000, moved: 60_000, gap: 0 })
    expect(movedTwice).toEqual([])
    expect(provider.audit.maxCallsInAnySecond()).toBeLessThanOrEqual(2)
    expect(provider.maxOpenJobs()).toBe(10)
    expect(driver.seen('defect')).toBe(0)
    expect(provider.jobs).toHaveLength(12)
    const { create, detail, query } = provider.audit.arrivals
    const spent = driver.journal.store.jobs.reduce((sum, { calls }) => sum + calls, 0)
    expect(spent).toBe(create.length + detail.length + query.length)
  })

  it('binds late, so that devices appended while all slots are busy share one job', () => {
    const { provider, counts } = runVirtualDriver(
      hour,
      {},
      { batchMaxDevices: 100 },
      ({ journal, start }) => {
        for (let route = 0; route < 10; route += 1)
          appendDevices(journal, routeTo(`iot-t${route}`), `r${route}`, 100)
        start()
        timer(8_000).subscribe(() => appendDevices(journal, routeTo('iot-late'), 'late-a', 40))
        timer(20_000).subscribe(() => appendDevices(journal, routeTo('iot-late'), 'late-b', 50))
      },
    )
    expect(counts).toMatchObject({ moved: 1_090, gap: 0 })
    expect(provider.jobs).toHaveLength(11)
  })

  it('claims moves that reach an idle pipeline once they have waited for BATCH_MAX_WAIT_MS', () => {
    const { provider } = runVirtualDriver(60_000, { latencyMs: 40 }, {}, ({ journal, start }) => {
      start()
      timer(20_000).subscribe(() => appendDevices(journal, routeTo('iot-a'), 'dev', 5))
    })
    const created = provider.audit.arrivals.create[0] ?? 0
    expect(created).toBeGreaterThanOrEqual(25_000)
    expect(created).toBeLessThan(25_300)
  })

  it('leaves other people their slots, and never has more than ten jobs open', () => {
    const { provider, counts } = runVirtualDriver(
      hour,
      {},
      { batchMaxDevices: 100 },
      ({ journal, start }, provider) => {
        for (let each = 0; each < 6; each += 1) provider.startForeignJob(routeTo('iot-x'), 10, 600_000)
        appendDevices(journal, routeTo('iot-a'), 'dev', 3_000)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 3_000, gap: 0 })
    expect(provider.maxOpenJobs()).toBeLessThanOrEqual(10)
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'survives throttling and lost calls without moving a device twice (seed %i)',
    seed => {
      const chance = seeded(seed * 7919)
      const { provider, counts, driver, movedTwice } = runVirtualDriver(
        12 * hour,
        {
          onCall: () => {
            const drawn = chance()
            if (drawn < 0.04) return 'throttle'
            if (drawn < 0.08) return 'lose-answer'
            if (drawn < 0.12) return 'lose-request'
            return 'ok'
          },
          onJobEnd: () => (chance() < 0.1 ? 'interrupted' : 'completed'),
        },
        { seed, batchMaxDevices: 200, maxAttempts: 20 },
        ({ journal, start }) => {
          for (let route = 0; route < 4; route += 1)
            appendDevices(journal, routeTo(`iot-t${route}`), `r${route}`, 1_500)
          start()
        },
      )
      expect(counts).toMatchObject({ accepted: 6_000, gap: 0, pending: 0, in_flight: 0, retrying: 0 })
      expect(counts.moved).toBe(6_000)
      expect(movedTwice).toEqual([])
      expect(provider.moves.size).toBe(6_000)
      expect(driver.seen('defect')).toBe(0)
      expect(provider.audit.maxCallsInAnySecond()).toBeLessThanOrEqual(2)
      expect(provider.maxOpenJobs()).toBeLessThanOrEqual(10)
    },
  )

  it('resumes running jobs after a crash, whatever step they were at', () => {
    const { counts, driver, movedTwice } = runVirtualDriver(
      6 * hour,
      {},
      { batchMaxDevices: 500 },
      ({ journal, start }) => {
        for (let route = 0; route < 4; route += 1)
          appendDevices(journal, routeTo(`iot-t${route}`), `r${route}`, 5_000)
        let running = start()
        for (let crash = 1; crash <= 9; crash += 1)
          timer(crash * 7_777).subscribe(() => {
            running.unsubscribe()
            journal.takeOver()
            timer(21_000).subscribe(() => {
              running.unsubscribe()
              running = start()
            })
          })
      },
    )
    expect(counts).toMatchObject({ moved: 20_000, gap: 0 })
    expect(movedTwice).toEqual([])
    expect(driver.seen('defect')).toBe(0)
  })

  it('asks again for a device without a row, then fails it for good without sending it again if looking it up tells nothing', () => {
    const { provider, counts } = runVirtualDriver(
      hour,
      {
        resultOf: device => (device === 'dev-000003' ? 'missing' : { code: '200' }),
        onCall: operation =>
          operation === 'provisioning'
            ? { kind: 'batch-refused', code: 'iot.device.NotExistedDevice' }
            : 'ok',
      },
      {},
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 9, failed: 1, gap: 0 })
    expect(provider.audit.arrivals.detail).toHaveLength(2)
    expect(provider.audit.arrivals.create).toHaveLength(1)
  })

  it('re-queues devices with an unrecognised code after the back-off, up to the last attempt', () => {
    const { counts, provider } = runVirtualDriver(
      6 * hour,
      {
        resultOf: (device, times) => ({ code: device === 'dev-000000' || times < 3 ? 'iot.made.up' : '200' }),
      },
      { maxAttempts: 4 },
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 3)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 2, failed: 1, gap: 0 })
    expect(provider.audit.arrivals.create).toHaveLength(4)
  })

  it('halves a batch that is refused because of one device, and fails that device alone', () => {
    const { counts, movedTwice } = runVirtualDriver(
      hour,
      {},
      { api: provider => refusing(provider, 'dev-000037', 'batch-refused', 'iot.device.NotExistedDevice') },
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 100)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 99, failed: 1, gap: 0 })
    expect(movedTwice).toEqual([])
  })

  it('stops claiming when told to, and completes once what is under way has ended', () => {
    const { driver } = runVirtualDriver(
      hour,
      {},
      { batchMaxDevices: 10 },
      ({ journal, driver: made, stop, events }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 1_000)
        made
          .drive(journal.drive(1n), () => true)
          .subscribe({ complete: () => events.push({ kind: 'standing-by', holder: 'completed' }) })
        timer(10_000).subscribe(stop)
      },
    )
    expect(driver.seen('standing-by')).toBe(1)
    expect(driver.journal.recount()).toMatchObject({ gap: 0 })
    expect(driver.journal.recount().in_flight).toBeGreaterThan(0)
  })
})
