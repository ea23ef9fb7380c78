import { timer } from 'rxjs'
import type { DriveJournal } from '../../../src/ports/journal'
import type { JobEnd } from '../../support/simulated-jobs'
import type { SimulatedProviderOptions } from '../../support/simulated-provider'
import type { CallFault } from '../../support/simulated-wire'
import {
  appendDevices,
  routeTo,
  runVirtualDriver,
  type VirtualDriverOptions,
} from '../../support/virtual-driver'

const hour = 3_600_000

/** The first job ends as given, and every later one completes. */
const firstEnds = (end: JobEnd) => {
  let ended = 0
  return (): JobEnd => {
    ended += 1
    return ended === 1 ? end : 'completed'
  }
}
const run = (provider: SimulatedProviderOptions, options: VirtualDriverOptions = {}) =>
  runVirtualDriver(6 * hour, provider, options, ({ journal, start }) => {
    appendDevices(journal, routeTo('iot-a'), 'dev', 10)
    start()
  })
/** Devices without a row: two that moved and two that did not. */
const silent = new Map([
  ['dev-000001', 'moved-unreported'],
  ['dev-000002', 'moved-unreported'],
  ['dev-000003', 'missing'],
  ['dev-000004', 'missing'],
] as const)
const silentOnce: SimulatedProviderOptions['resultOf'] = (device, timesSent) =>
  (timesSent === 1 ? silent.get(device as never) : undefined) ?? { code: '200' }

describe('devices that a job does not report on', () => {
  it('are looked up, and only those that are not at the target are sent again, once', () => {
    const { counts, provider, movedTwice, driver } = run({ resultOf: silentOnce })
    expect(counts).toMatchObject({ moved: 10, failed: 0, gap: 0 })
    expect(movedTwice).toEqual([])
    expect(provider.audit.arrivals.provisioning).toHaveLength(4)
    expect(provider.jobs.map(job => job.total)).toEqual([10, 2])
    expect(driver.seen('defect')).toBe(0)
    expect(driver.events).toContainEqual({
      kind: 'devices-looked-up',
      batchId: 1,
      moved: 2,
      elsewhere: 2,
      untold: 0,
    })
  })

  it.each(['interrupted', 'interrupted-without-file'] as const)(
    'are looked up after a job that ended as %s, and none moves twice',
    end => {
      const { counts, provider, movedTwice } = run({ onJobEnd: firstEnds(end) })
      expect(counts).toMatchObject({ moved: 10, gap: 0 })
      expect(movedTwice).toEqual([])
      expect(provider.jobs.map(job => job.total)).toEqual([10, 5])
    },
  )

  it.each<[string, SimulatedProviderOptions]>([
    ['whose file cannot be read', { onFetch: n => (n <= 5 ? 'unreadable' : 'ok') }],
    [
      'whose results are refused with an unrecognised code',
      {
        onCall: (operation, n): CallFault =>
          operation === 'detail' && n <= 5 ? { kind: 'unknown', code: 'iot.made.up' } : 'ok',
      },
    ],
  ])('are looked up after a job %s, which then needs no human', (_, provider) => {
    const { counts, movedTwice, driver } = run({ ...provider, resultOf: silentOnce })
    expect(counts).toMatchObject({ moved: 10, held: 0, gap: 0 })
    expect(movedTwice).toEqual([])
    expect(driver.seen('job-held')).toBe(0)
  })

  it.each([
    ['has moved them all', 'completed', [10]],
    ['was interrupted', 'interrupted-without-file', [10, 5]],
  ] as const)(
    'are looked up once both listed jobs that could be theirs have ended, if the files do not tell which is (theirs %s)',
    (_, end, totals) => {
      const endings = firstEnds(end)
      const { counts, provider, movedTwice, driver } = runVirtualDriver(
        hour,
        {
          onCall: (operation, n): CallFault => (operation === 'create' && n === 1 ? 'lose-answer' : 'ok'),
          onJobEnd: job => (job.foreign ? 'completed' : endings()),
          onFetch: n => (n <= 2 ? 'unreadable' : 'ok'),
        },
        {},
        ({ journal, start }, { startForeignJob, audit }) => {
          appendDevices(journal, routeTo('iot-a'), 'dev', 10)
          start()
          timer(20_000).subscribe(() => startForeignJob(routeTo('iot-a'), 10, 300_000))
          // Nothing is concluded while the other job is open, since it may be ours.
          timer(315_000).subscribe(() => expect(audit.arrivals.provisioning).toEqual([]))
        },
      )
      expect(counts).toMatchObject({ moved: 10, held: 0, gap: 0 })
      expect(movedTwice).toEqual([])
      expect(provider.jobs.filter(job => !job.foreign).map(job => job.total)).toEqual(totals)
      expect(provider.audit.arrivals.provisioning).toHaveLength(10)
      expect(driver.seen('job-held')).toBe(0)
      expect(driver.driver.openJobs()).toMatchObject({ own: 0 })
    },
  )

  it.each([
    ['others of them are open for many hours', 'lose-answer', 10 * hour],
    ['looking up does not show where they are', 'lose-request', 60_000],
  ] as const)('have their job held when it may be any of several listed ones and %s', (_, fault, openMs) => {
    const { counts, provider, driver } = runVirtualDriver(
      8 * hour,
      {
        onCall: (operation, n): CallFault => (operation === 'create' && n === 1 ? fault : 'ok'),
        onFetch: () => 'unreadable',
      },
      {},
      ({ journal, start }, { startForeignJob }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
        timer(20_000).subscribe(() => {
          startForeignJob(routeTo('iot-a'), 10, openMs)
          startForeignJob(routeTo('iot-a'), 10, openMs)
        })
      },
    )
    expect(counts).toMatchObject({ held: 10, gap: 0 })
    expect(driver.seen('job-held')).toBe(1)
    expect(provider.jobs.filter(job => !job.foreign)).toHaveLength(fault === 'lose-answer' ? 1 : 0)
  })

  it('have their job held when looking up does not show where every one of them is, and the others are settled', () => {
    const { counts, driver } = run({
      onFetch: () => 'unreadable',
      onCall: (operation, n): CallFault =>
        operation === 'provisioning' && n === 3
          ? { kind: 'batch-refused', code: 'iot.device.NotExistedDevice' }
          : 'ok',
    })
    expect(counts).toMatchObject({ moved: 9, held: 1, gap: 0 })
    expect(driver.events.filter(({ kind }) => kind === 'job-held')).toEqual([
      {
        kind: 'job-held',
        batchId: 1,
        why: expect.stringMatching(/^no results could be read: .*, and 1 move stays untold$/),
      },
    ])
  })

  it('are looked up once more when their held job is released', () => {
    let asked = 0
    const { counts, movedTwice, provider } = runVirtualDriver(
      hour,
      {
        onFetch: () => 'unreadable',
        onCall: operation => {
          if (operation !== 'provisioning') return 'ok'
          asked += 1
          return asked === 3 ? { kind: 'batch-refused', code: 'iot.device.NotExistedDevice' } : 'ok'
        },
      },
      {},
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
        timer(hour / 2).subscribe(() => {
          expect(journal.recount()).toMatchObject({ moved: 9, held: 1 })
          journal.resolveJob(1, { kind: 'again' })
        })
      },
    )
    expect(counts).toMatchObject({ moved: 10, held: 0, gap: 0 })
    expect(movedTwice).toEqual([])
    expect(provider.audit.arrivals.provisioning).toHaveLength(11)
  })

  it('are settled part by part, at least twice a minute, and their job with the last of them', () => {
    const { driver, counts } = runVirtualDriver(
      hour,
      { onJobEnd: firstEnds('interrupted-without-file') },
      {},
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 400)
        start()
        timer(200_000).subscribe(() => {
          const { moved, in_flight, gap } = journal.recount()
          expect(moved).toBeGreaterThan(50)
          expect(in_flight).toBeGreaterThan(100)
          expect(gap).toBe(0)
        })
      },
    )
    expect(counts).toMatchObject({ moved: 400, gap: 0 })
    const parts = driver.events.filter(event => event.kind === 'part-settled' && event.batchId === 1)
    expect(parts[0]).toMatchObject({ moved: 0, retried: 0, open: 400 })
    expect(parts.length).toBeGreaterThanOrEqual(5)
    expect(driver.events.filter(event => event.kind === 'job-settled' && event.batchId === 1)).toHaveLength(1)
  })

  it('of many jobs are looked up job by job, and keep no slot and no other job waiting', () => {
    let ended = 0
    const onJobEnd = (): JobEnd => {
      ended += 1
      return ended <= 60 ? 'interrupted-without-file' : 'completed'
    }
    const { counts, driver, movedTwice, provider } = runVirtualDriver(
      4 * hour,
      { onJobEnd },
      { batchMaxDevices: 100 },
      ({ journal, start }, simulated) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 6_000)
        start()
        timer(500_000).subscribe(() => {
          expect(simulated.jobs.length).toBeGreaterThanOrEqual(60)
          appendDevices(journal, routeTo('iot-b', { productKey: 'a1Other' }), 'next', 300)
        })
        timer(600_000).subscribe(() => {
          const [, other] = journal.store.routes.values()
          expect(other?.outcomes.size).toBe(300)
          expect(journal.recount().in_flight).toBeGreaterThan(4_000)
        })
      },
    )
    expect(counts).toMatchObject({ moved: 6_300, gap: 0 })
    expect(movedTwice).toEqual([])
    expect(provider.audit.maxCallsInAnySecond()).toBeLessThanOrEqual(2)
    const settled = driver.events.flatMap(event =>
      event.kind === 'job-settled' && event.batchId <= 60 ? [event.batchId] : [],
    )
    expect(settled).toEqual(settled.toSorted((a, b) => a - b))
  })

  it('are not looked up beyond the bound, and fail for good as unknown or are sent again after an interrupted job', () => {
    const completed = run({ resultOf: silentOnce }, { lookUpMaxDevices: 3 })
    expect(completed.counts).toMatchObject({ moved: 9, failed: 1, gap: 0 })
    expect(completed.provider.audit.arrivals.provisioning).toHaveLength(3)
    const [route] = completed.driver.journal.store.routes.values()
    expect(route?.outcomes.get(5)).toMatchObject({ outcome: 'failed', final: true, code: 'unknown' })

    const interrupted = run({ onJobEnd: firstEnds('interrupted-without-file') }, { lookUpMaxDevices: 3 })
    expect(interrupted.counts).toMatchObject({ moved: 10, gap: 0 })
    expect(interrupted.provider.jobs.map(job => job.total)).toEqual([10, 7])
  })

  it('fail for good when they have not moved after the last attempt', () => {
    const { counts, driver, movedTwice } = run(
      { resultOf: device => (device === 'dev-000003' ? 'missing' : { code: '200' }) },
      { maxAttempts: 2 },
    )
    expect(counts).toMatchObject({ moved: 9, failed: 1, gap: 0 })
    expect(movedTwice).toEqual([])
    const [route] = driver.journal.store.routes.values()
    expect(route?.outcomes.get(4)).toMatchObject({ final: false, code: 'not-moved' })
    expect(route?.outcomes.get(11)).toMatchObject({ final: true, code: 'not-moved' })
  })

  it('hold no slot while they are looked up, and keep no other job waiting', () => {
    const { counts, provider } = runVirtualDriver(
      hour,
      { onJobEnd: firstEnds('interrupted-without-file'), maxOpenJobs: 1 },
      { quotaJobs: 1, batchMaxDevices: 600 },
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'slow', 600)
        start()
        timer(30_000).subscribe(() => appendDevices(journal, routeTo('iot-b'), 'next', 600))
      },
    )
    const { provisioning, create } = provider.audit.arrivals
    const [from = 0, to = 0] = [provisioning[0], provisioning.at(-1)]
    expect(to - from).toBeGreaterThan(500_000)
    // The other route's job began and ended meanwhile.
    expect(create[1]).toBeGreaterThan(from - 60_000)
    expect(create[1]).toBeLessThan(from + 10_000)
    expect(provider.audit.maxCallsInAnySecond()).toBeLessThanOrEqual(2)
    expect(counts).toMatchObject({ moved: 1_200, gap: 0 })
  })

  it('are looked up by the next driver when this one is stopped or crashes', () => {
    for (const end of ['stop', 'crash'] as const) {
      let completed = false
      const { counts, provider, movedTwice } = runVirtualDriver(
        2 * hour,
        { onJobEnd: firstEnds('interrupted-without-file') },
        {},
        (driver, { audit }) => {
          appendDevices(driver.journal, routeTo('iot-a'), 'dev', 100)
          const first = driver.driver
            .drive(driver.journal.drive(1n), () => true)
            .subscribe({
              complete: () => {
                completed = true
              },
            })
          timer(80_000).subscribe(() => {
            expect(audit.arrivals.provisioning.length).toBeGreaterThan(5)
            expect(audit.arrivals.provisioning.length).toBeLessThan(95)
            if (end === 'crash') first.unsubscribe()
            else driver.stop()
          })
          timer(82_000).subscribe(() => {
            expect(completed).toBe(end === 'stop')
            if (end === 'crash') driver.start()
          })
        },
      )
      expect(movedTwice).toEqual([])
      if (end === 'stop') {
        // What was told is settled when it stops.
        expect(counts.in_flight).toBe(100 - provider.audit.arrivals.provisioning.length)
        expect(counts.gap).toBe(0)
        expect(provider.audit.arrivals.provisioning.length).toBeLessThan(95)
      } else {
        expect(counts).toMatchObject({ moved: 100, gap: 0 })
        const [first, ...later] = provider.jobs.map(job => job.total)
        expect([first, later.reduce((sum, total) => sum + total, 0)]).toEqual([100, 50])
        // The new driver does not look up all of them again.
        expect(provider.audit.arrivals.provisioning.length).toBeLessThan(130)
      }
    }
  })

  it('have their look-ups stored in the step that settles them, after what the file tells of others', () => {
    const steps: string[] = []
    const watched = (journal: DriveJournal): DriveJournal => ({
      ...journal,
      settle: (batchId, verdicts, ...rest) => {
        steps.push(`settled ${verdicts.length}`)
        return journal.settle(batchId, verdicts, ...rest)
      },
      settleLookedUp: (batchId, lookUps, verdicts) => {
        if (lookUps.length > 0) steps.push(`looked up ${lookUps.length}, settled ${verdicts.length}`)
        return journal.settleLookedUp(batchId, lookUps, verdicts)
      },
    })
    run({ resultOf: silentOnce }, { journal: watched })
    expect(steps).toEqual(['settled 6', 'looked up 4, settled 4', 'settled 2'])
  })
})
