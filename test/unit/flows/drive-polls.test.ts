import { asyncScheduler, defer, map, throwError, timer } from 'rxjs'
import type { JobApi } from '../../../src/ports/job-api'
import { appendDevices, routeTo, runVirtualDriver } from '../../support/virtual-driver'

const hour = 3_600_000

/** A provider that has forgotten one of its jobs. */
const forgetting = (api: JobApi, providerJobId: string): JobApi => ({
  ...api,
  list: query =>
    api.list(query).pipe(
      map(result => {
        if (!result.ok) return result
        const jobs = result.value.jobs.filter(job => job.providerJobId !== providerJobId)
        return { ok: true, value: { ...result.value, jobs } } as const
      }),
    ),
  query: id => (id === providerJobId ? api.query('NoSuchJob') : api.query(id)),
})

describe('polls', () => {
  it('of a job that the provider no longer knows end with the job held and its slot free for others', () => {
    const { provider, counts, driver } = runVirtualDriver(
      6 * hour,
      {},
      { batchMaxDevices: 100, quotaJobs: 2, api: each => forgetting(each, 'Simulated000000001') },
      ({ journal, start, driver: made }) => {
        for (let route = 0; route < 5; route += 1)
          appendDevices(journal, routeTo(`iot-t${route}`), `r${route}`, 100)
        start()
        timer(3 * hour).subscribe(() => expect(made.openJobs()?.own).toBe(0))
      },
    )
    expect(counts).toMatchObject({ moved: 400, held: 100, gap: 0 })
    expect(driver.seen('job-held')).toBe(1)
    expect(provider.audit.arrivals.query).toHaveLength(8)
    expect(provider.sent.size).toBe(500)
    expect([...provider.sent.values()].every(times => times === 1)).toBe(true)
  })

  it('report at once that the provider does not know a job, and later that it knows the job again', () => {
    const forgottenUntil = 5 * 60_000
    const errors: [number, string | null | undefined][] = []
    const { driver, counts } = runVirtualDriver(
      hour,
      { jobMs: () => 600_000 },
      {
        api: each => {
          const partly = forgetting(each, 'Simulated000000001')
          const now = () => (asyncScheduler.now() < forgottenUntil ? partly : each)
          return { ...each, list: query => now().list(query), query: id => now().query(id) }
        },
      },
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
        for (const at of [60_000, 9 * 60_000])
          timer(at).subscribe(() => errors.push([at, journal.store.jobs[0]?.lastError]))
      },
    )
    const why = expect.stringMatching(/^List does not show job Simulated000000001, and Query says: .+\(.+\)$/)
    expect(errors).toEqual([
      [60_000, why],
      [9 * 60_000, null],
    ])
    const told = driver.events.filter(({ kind }) => kind === 'job-denied' || kind === 'job-known-again')
    const which = { batchId: 1, providerJobId: 'Simulated000000001' }
    expect(told).toEqual([
      { kind: 'job-denied', ...which, why },
      { kind: 'job-known-again', ...which },
    ])
    expect(counts).toMatchObject({ moved: 10, held: 0, gap: 0 })
  })

  describe.each(['heeded', 'ignored', 'refused'] as const)('when Status is %s', listStatus => {
    it('find a job of ours that newer jobs of others have pushed off the first page of List', () => {
      const { provider, counts, driver } = runVirtualDriver(
        hour,
        { pageSize: 2, jobMs: () => 60_000, listStatus },
        {},
        ({ journal, start }, { startForeignJob }) => {
          appendDevices(journal, routeTo('iot-a'), 'dev', 10)
          start()
          timer(10_000).subscribe(() => {
            for (let job = 0; job < 4; job += 1) startForeignJob(routeTo('iot-foreign'), 10, hour)
          })
        },
      )
      // A list of the open jobs does not show how a job has ended, so that is asked for once.
      expect(provider.audit.arrivals.query).toHaveLength(listStatus === 'heeded' ? 1 : 0)
      expect(counts).toMatchObject({ moved: 10, gap: 0 })
      expect(driver.seen('job-denied')).toBe(0)
    })

    it.each(['newest-first', 'oldest-first', 'shuffled'] as const)(
      "count another's open job behind 300 newer ones that have ended, with the jobs %s",
      listOrder => {
        // Only our side keeps the limit here, so a create above it would succeed.
        const { provider, counts } = runVirtualDriver(
          hour / 4,
          { maxOpenJobs: 1_000, listStatus, listOrder },
          { quotaJobs: 1 },
          ({ journal, start }, { startForeignJob }) => {
            startForeignJob(routeTo('iot-foreign'), 10, hour / 10)
            timer(60_000).subscribe(() => {
              for (let job = 0; job < 300; job += 1) startForeignJob(routeTo('iot-x'), 10, 500)
            })
            timer(100_000).subscribe(() => {
              appendDevices(journal, routeTo('iot-a'), 'dev', 10)
              start()
            })
          },
        )
        expect(provider.audit.arrivals.create[0]).toBeGreaterThan(hour / 10)
        expect(provider.audit.arrivals.create).toHaveLength(1)
        expect(counts).toMatchObject({ moved: 10, gap: 0 })
      },
    )

    it("go on counting another's open job that is pushed off the first page while they watch", () => {
      const { provider, counts } = runVirtualDriver(
        hour / 4,
        { maxOpenJobs: 1_000, listStatus },
        { quotaJobs: 1 },
        ({ journal, start }, { startForeignJob }) => {
          startForeignJob(routeTo('iot-foreign'), 10, hour / 10)
          appendDevices(journal, routeTo('iot-a'), 'dev', 10)
          start()
          timer(60_000).subscribe(() => {
            for (let job = 0; job < 300; job += 1) startForeignJob(routeTo('iot-x'), 10, 500)
          })
        },
      )
      expect(provider.audit.arrivals.create[0]).toBeGreaterThan(hour / 10)
      // It is noticed within a minute that the job has ended.
      expect(provider.audit.arrivals.create[0]).toBeLessThan(hour / 10 + 60_000)
      expect(counts).toMatchObject({ moved: 10, gap: 0 })
    })
  })

  it('cost one call a look while the first page shows every open job, however many pages there are', () => {
    const { provider, counts } = runVirtualDriver(
      hour / 2,
      { jobMs: () => 60_000 },
      {},
      ({ journal, start }, { startForeignJob }) => {
        for (let job = 0; job < 300; job += 1) startForeignJob(routeTo('iot-x'), 10, 500)
        timer(120_000).subscribe(() => {
          for (let route = 0; route < 40; route += 1)
            appendDevices(journal, routeTo(`iot-${route}`), `r${route}`, 10)
          start()
        })
      },
    )
    expect(counts).toMatchObject({ moved: 400, gap: 0 })
    // Two more at the start: the initialising and the running ones.
    expect(provider.audit.arrivals.list.length).toBeLessThan(90)
  })

  it('of a resumed job clear the last error that a predecessor had left', () => {
    const { driver } = runVirtualDriver(hour, { jobMs: () => 600_000 }, {}, ({ journal, start }) => {
      appendDevices(journal, routeTo('iot-a'), 'dev', 10)
      const first = start()
      timer(60_000).subscribe(() => {
        first.unsubscribe()
        journal.drive(journal.store.lease.epoch).setLastError(1, 'not found').subscribe()
        start()
      })
      timer(300_000).subscribe(() =>
        expect(journal.store.jobs[0]).toMatchObject({ status: 'running', lastError: null }),
      )
    })
    expect(driver.journal.store.jobs[0]).toMatchObject({ status: 'settled', lastError: null })
  })

  it('denied now and then, with answers in between, leave the job in its slot', () => {
    const { counts, driver } = runVirtualDriver(
      6 * hour,
      {
        jobMs: () => 3 * hour,
        onCall: (operation, n) => {
          const isDenied = operation === 'list' ? n > 1 : operation === 'query' && n % 3 === 0
          return isDenied ? { kind: 'unknown', code: 'iot.made.up' } : 'ok'
        },
      },
      {},
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 10)
        start()
      },
    )
    expect(driver.seen('job-held')).toBe(0)
    expect(counts).toMatchObject({ moved: 10, held: 0, gap: 0 })
  })

  it('go on by Query while List is refused, and List is asked only once a minute', () => {
    const { provider, counts } = runVirtualDriver(
      hour,
      { onCall: operation => (operation === 'list' ? { kind: 'unknown', code: 'iot.made.up' } : 'ok') },
      {},
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 1_000)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 1_000, gap: 0 })
    expect(provider.audit.arrivals.list.length).toBeLessThanOrEqual(3)
    expect(provider.audit.arrivals.query.length).toBeGreaterThan(1)
  })

  it('are frequent enough for a single slot', () => {
    const { provider, counts } = runVirtualDriver(
      hour,
      { jobMs: () => 10_000, latencyMs: 40 },
      { batchMaxDevices: 10, quotaJobs: 1 },
      ({ journal, start }) => {
        appendDevices(journal, routeTo('iot-a'), 'dev', 200)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 200, gap: 0 })
    const { create } = provider.audit.arrivals
    // 19 jobs of 10 s follow each other, with at most 2 s between the end of one and the start of the next.
    expect((create[19] ?? 0) - (create[0] ?? 0)).toBeLessThan(19 * 12_000)
  })
})

describe('a claim', () => {
  it('that fails for an unforeseen reason stops nothing else and is tried again', () => {
    let claims = 0
    const { counts, driver } = runVirtualDriver(
      hour,
      {},
      {
        journal: real => ({
          ...real,
          claim: inHand =>
            defer(() => {
              claims += 1
              return claims % 3 === 0 ? throwError(() => new Error('made to fail')) : real.claim(inHand)
            }),
        }),
      },
      ({ journal, start }) => {
        for (let route = 0; route < 5; route += 1)
          appendDevices(journal, routeTo(`iot-t${route}`), `r${route}`, 10)
        start()
      },
    )
    expect(counts).toMatchObject({ moved: 50, gap: 0 })
    expect(driver.seen('defect')).toBeGreaterThan(0)
  })
})
