import { defer, type Observable, throwError, timer } from 'rxjs'
import type { DriveJournal } from '../../../src/ports/journal'
import type { CallFault } from '../../support/simulated-wire'
import { appendDevices, routeTo, runVirtualDriver } from '../../support/virtual-driver'

const hour = 3_600_000
const unknownCode: CallFault = { kind: 'unknown', code: 'iot.made.up' }

const onDetail = (faults: (n: number) => CallFault) => ({
  onCall: (operation: string, n: number): CallFault => (operation === 'detail' ? faults(n) : 'ok'),
})

describe('the results of an ended job', () => {
  it.each(['interrupted', 'completed'] as const)(
    'are never taken for missing because of an unrecognised code, so the %s job is held and not sent again',
    end => {
      const { provider, counts, driver } = runVirtualDriver(
        6 * hour,
        { ...onDetail(() => unknownCode), onJobEnd: () => end },
        // There are too many devices to look up.
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

  it('are read once the provider no longer answers with an unrecognised code', () => {
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

  it('need no row and no human if the interrupted job reached no device', () => {
    let ended = 0
    const onJobEnd = () => {
      ended += 1
      // An interrupted job reaches half of its devices, rounded down, so it reaches none of one.
      return ended === 1 ? 'interrupted' : 'completed'
    }
    const { counts, driver, movedTwice } = runVirtualDriver(hour, { onJobEnd }, {}, ({ journal, start }) => {
      // Under strategy 1 a look-up cannot tell whether a device at its source will move.
      appendDevices(
        journal,
        routeTo('iot-a', { strategy: 1, targetInstanceIds: ['iot-a', 'iot-b'] }),
        'dev',
        1,
      )
      start()
    })
    expect(counts).toMatchObject({ moved: 1, held: 0, gap: 0 })
    expect(driver.seen('job-held')).toBe(0)
    expect(movedTwice).toEqual([])
  })

  it('are stored with their job, each file once', () => {
    const { driver } = runVirtualDriver(
      hour,
      // The second file is asked for because a row is missing, and says the same.
      { resultOf: name => (name.endsWith('3') ? 'moved-unreported' : { code: '200' }) },
      {},
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 4)
        start()
      },
    )
    const kept = driver.journal.store.jobs.map(job => job.resultFiles.map(({ body }) => String(body)))
    expect(kept).toEqual([[expect.stringContaining('"DeviceName":"dev-000000"')]])
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

  it('keep the rows of the first file when the second cannot be read', () => {
    const { counts, provider } = runVirtualDriver(
      hour,
      {
        resultOf: device => (device === 'dev-000003' ? 'missing' : { code: '200' }),
        onFetch: n => (n === 1 ? 'ok' : 'unreadable'),
      },
      { lookUpMaxDevices: 0, maxAttempts: 1 },
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 9, failed: 1, gap: 0 })
    expect(provider.audit.arrivals.create).toHaveLength(1)
  })

  it('may be missing after an interrupted job, whose devices are then sent again', () => {
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

  it('that cannot be fetched are the last error of their job until it is settled, once a reason and not at the first try', () => {
    const told: (string | null)[] = []
    let reachable = false
    const { counts, driver } = runVirtualDriver(
      2 * hour,
      { onFetch: () => (reachable ? 'ok' : 'unreachable') },
      {
        journal: real => ({
          ...real,
          setLastError: (batchId, why) => {
            told.push(why)
            return real.setLastError(batchId, why)
          },
        }),
      },
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
        timer(hour).subscribe(() => {
          expect(journal.store.jobs[0]).toMatchObject({ status: 'completed', lastError: told[0] })
          reachable = true
        })
      },
    )
    const tries = driver.events.flatMap(event =>
      event.kind === 'result-file-problem' ? [event.problem] : [],
    )
    expect(tries.length).toBeGreaterThan(10)
    expect(told).toEqual([tries[0]])
    expect(counts).toMatchObject({ moved: 10, gap: 0 })
    expect(driver.journal.store.jobs[0]).toMatchObject({ status: 'settled', lastError: null })
  })

  it('that come at the second try are no last error of their job', () => {
    let fetches = 0
    let told = 0
    const onFetch = () => {
      fetches += 1
      return fetches === 1 ? 'unreachable' : 'ok'
    }
    const { counts } = runVirtualDriver(
      hour,
      { onFetch },
      {
        journal: real => ({
          ...real,
          setLastError: (batchId, why) => {
            told += 1
            return real.setLastError(batchId, why)
          },
        }),
      },
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 10 })
    expect([fetches, told]).toEqual([2, 0])
  })

  it('that cannot be fetched do not use up the calls, so that forty such jobs leave room for the polls of others', () => {
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
            // A link is valid for ten minutes, so each job asks at most 7 times in an hour of about 7,200 calls.
            expect(audit.arrivals.detail.length - before).toBeLessThanOrEqual(40 * 7)
            reachable = true
          })
        })
      },
    )
    expect(counts).toMatchObject({ moved: 4_000, gap: 0 })
    expect(provider.audit.maxCallsInAnySecond()).toBeLessThanOrEqual(2)
  })

  it('that cannot be fetched are not in memory while they wait, and keep no other job from being created', () => {
    let reachable = false
    /** Batches that the driver has asked for, and has neither put off nor settled. */
    const inMemory = new Set<number>()
    let most = 0
    const { counts, driver, provider } = runVirtualDriver(
      8 * hour,
      { onFetch: () => (reachable ? 'ok' : 'unreachable') },
      {
        batchMaxDevices: 100,
        journal: real => ({
          ...real,
          load: batchId => {
            inMemory.add(batchId)
            most = Math.max(most, inMemory.size)
            return real.load(batchId)
          },
        }),
      },
      ({ journal, start, events }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 6_000)
        start()
        timer(0, 1_000).subscribe(() => {
          for (const event of events) if (event.kind === 'result-file-problem') inMemory.delete(event.batchId)
        })
        timer(hour).subscribe(() => {
          // Every device has been sent, though nothing is known of any.
          expect(journal.recount()).toMatchObject({ pending: 0, in_flight: 6_000 })
          expect(most).toBeGreaterThan(0)
          expect(most).toBeLessThan(10)
          reachable = true
        })
      },
    )
    expect(provider.jobs).toHaveLength(60)
    expect(counts).toMatchObject({ moved: 6_000, gap: 0 })
    expect(driver.driver.openJobs()).toMatchObject({ own: 0 })
  })

  describe('that cannot be stored', () => {
    const failsWhile = (hasTrouble: (batchId: number) => boolean, hasJournal: () => boolean) => ({
      journal: (real: DriveJournal): DriveJournal => {
        const unless = <T>(fails: boolean, step: Observable<T>): Observable<T> =>
          fails ? throwError(() => new Error('made to fail')) : step
        return {
          ...real,
          settle: (batchId, ...rest) =>
            defer(() => unless(hasTrouble(batchId) || !hasJournal(), real.settle(batchId, ...rest))),
          ownJobs: ids => defer(() => unless(!hasJournal(), real.ownJobs(ids))),
          hold: (job, why) => defer(() => unless(!hasJournal(), real.hold(job, why))),
        }
      },
    })

    it('for a reason of their own are held, and are stored when the job is released', () => {
      let hasTrouble = true
      const { counts, driver, provider } = runVirtualDriver(
        2 * hour,
        {},
        failsWhile(
          batchId => batchId === 1 && hasTrouble,
          () => true,
        ),
        ({ journal, start, events }) => {
          for (const target of ['iot-a', 'iot-b']) appendDevices(journal, routeTo(target), target, 10)
          start()
          timer(hour).subscribe(() => {
            expect(journal.recount()).toMatchObject({ moved: 10, held: 10, gap: 0 })
            expect(events.find(({ kind }) => kind === 'job-held')).toEqual({
              kind: 'job-held',
              batchId: 1,
              why: 'it could not be settled, 10 times in a row: made to fail',
            })
            hasTrouble = false
            journal.releaseJob(1)
          })
        },
      )
      expect(driver.seen('defect')).toBe(9)
      expect(counts).toMatchObject({ moved: 20, held: 0, gap: 0 })
      expect(provider.audit.arrivals.create).toHaveLength(2)
      expect(provider.audit.arrivals.detail).toHaveLength(12)
    })

    it('while the journal works for no job are stored once it does, and are not held', () => {
      let hasJournal = true
      let tries = 0
      const { counts, driver } = runVirtualDriver(
        3 * hour,
        {},
        failsWhile(
          () => {
            tries += 1
            // The journal works again right after a try has failed, so no other step shows the trouble.
            if (tries === 50) hasJournal = true
            return tries <= 50
          },
          () => hasJournal,
        ),
        ({ journal, start }) => {
          appendDevices(journal, routeTo('iot-a'), 'dev', 10)
          start()
          timer(20_000).subscribe(() => {
            hasJournal = false
          })
        },
      )
      expect(driver.seen('defect')).toBe(50)
      expect(driver.seen('job-held')).toBe(0)
      expect(counts).toMatchObject({ moved: 10, held: 0, gap: 0 })
    })
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
