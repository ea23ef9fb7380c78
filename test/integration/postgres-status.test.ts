import { firstValueFrom } from 'rxjs'
import { createIntakeJournal } from '../../src/postgres/intake/intake-journal'
import { readDatabaseStatus } from '../../src/postgres/status/read-status'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { harnessOn } from '../support/journal-harness'
import { all, createJourney, verdicts } from '../support/journal-journey'
import { sessionsWaiting, whileLocked } from '../support/journal-locks'
import { routeTo } from '../support/journal-requests'

describe('the status in the database', () => {
  let database: JournalDatabase
  beforeEach(async () => {
    database = await createJournalDatabase()
  })
  afterEach(() => database.drop())
  const statusNow = () => readDatabaseStatus(database.pool, { overdueFactor: 10 })
  const journeyOf = async () => {
    const journey = createJourney({
      open: async options => harnessOn(database.pool, options),
      close: async () => undefined,
    })
    await journey.open(all)
    return journey
  }

  it('shows backlog, held jobs and routes, failures, what is unpublished, and who holds the lease', async () => {
    const journey = await journeyOf()
    const failed = { outcome: 'failed', final: true, code: '9313', message: 'no' } as const
    await journey.append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    await journey.finish(await journey.claimJob(), failed)
    await journey.append({ requestId: 'r2', devices: ['dev3'] })
    const held = await journey.claimJob()
    await firstValueFrom(journey.drive.hold(held, 'no file'))
    await journey.append({ requestId: 'r3', devices: ['dev4'], route: routeTo('iot-other') })
    await database.pool.query(
      `update lease set holder = 'host/1', expires_at = now() + interval '10 seconds'`,
    )
    const status = await statusNow()
    expect(status).toMatchObject({
      moves: { accepted: 4, failed: 2, held: 1, pending: 1, gap: 0 },
      lease: { holder: 'host/1', expiresInMs: expect.any(Number) },
      openJobs: { claimed: 1 },
      heldJobs: [
        {
          batchId: held.batchId,
          status: 'claimed',
          moves: 1,
          heldReason: 'no file',
          resolutions: ['again', 'fail'],
        },
      ],
      failures: [{ code: '9313', outcomes: 2, final: 2 }],
      unpublished: 2,
      nextRetryAt: null,
    })
    await database.pool.query(
      `update job set status = 'unknown', create_started_at = now(), clashes_with = 'P' where held_at is not null`,
    )
    const clashed = await statusNow()
    expect(clashed.heldJobs.map(({ resolutions }) => resolutions)).toEqual([['adopt', 'absent', 'fail']])
    const routes = status.routes.map(each => [
      each.targetInstanceIds,
      each.pending,
      each.inFlight,
      each.inHeldJobs,
    ])
    expect(routes).toEqual([
      [['iot-other'], 1, 0, 0],
      [['iot-target'], 0, 0, 1],
    ])
  })

  it('is of one moment, whatever is taken in while it is read', async () => {
    const journey = await journeyOf()
    await journey.append({ requestId: 'r1', devices: ['dev1'] })
    const status = await whileLocked(
      database.pool,
      'lock table lease in access exclusive mode',
      async release => {
        const reading = statusNow()
        await sessionsWaiting(database.pool, '%from lease%')
        await journey.append({ requestId: 'r2', devices: ['dev2'] })
        await release()
        return reading
      },
    )
    expect(status.moves.pending).toBe(1)
    expect(status.routes.map(({ pending }) => pending)).toEqual([1])
    expect((await statusNow()).moves.pending).toBe(2)
  })

  it('names held and blocked routes however many busier ones there are, and counts those it does not name', async () => {
    const { append, claimJob, drive } = await journeyOf()
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'], route: routeTo('iot-blocked') })
    const job = await claimJob()
    await append({ requestId: 'r2', devices: ['dev3'], route: routeTo('iot-blocked') })
    await firstValueFrom(drive.creating(job.batchId))
    await firstValueFrom(drive.unanswered(job.batchId, 'timeout'))
    await firstValueFrom(drive.hold(job, 'several jobs'))
    await database.pool.query(`
      with routes as (
        insert into route (identity, product_key, source_instance_id, strategy, target_instance_ids, target_uid, priority,
                           held_at, held_reason)
        select decode(md5(n::text), 'hex'), 'a1Product', 's', 0, array[n::text], '1', 'normal',
               case when n > 150 then now() end, case when n > 150 then 'test ' || n end
        from generate_series(1, 300) n returning route_id, held_at
      ), intake as (
        insert into route_intake select route_id, 50, 0, 50 from routes where held_at is null
        union all select route_id, 0, 0, 0 from routes where held_at is not null
      )
      insert into route_claims select route_id, 0 from routes`)
    const { routes, routeCounts } = await statusNow()
    expect(routeCounts).toEqual({ withWork: 151, held: 150, blocked: 1 })
    expect(routes.filter(({ pending }) => pending === 50)).toHaveLength(100)
    expect(routes.filter(({ heldAt }) => heldAt !== null)).toHaveLength(100)
    expect(routes.filter(({ blockedByBatch }) => blockedByBatch !== null)).toMatchObject([
      { targetInstanceIds: ['iot-blocked'], pending: 1, inHeldJobs: 2, blockedReason: 'several jobs' },
    ])
  })

  it('says of each route that it shows what the view routes says', async () => {
    const journey = await journeyOf()
    await journey.append({ requestId: 'r1', devices: ['dev1', 'dev2', 'dev3'] })
    await journey.finish(await journey.claimJob(), {
      outcome: 'failed',
      final: false,
      code: '9500',
      message: 'busy',
      retryInMs: 60_000,
    })
    await journey.append({ requestId: 'r2', devices: ['dev4'] })
    await journey.finish(await journey.claimJob())
    await journey.append({ requestId: 'r3', devices: ['dev5'] })
    await journey.append({ requestId: 'r4', devices: ['dev6'], route: routeTo('iot-other') })
    await journey.claimJob()
    const { rows } = await database.pool.query(`
      select route_id as "routeId", pending::float8, in_flight::float8 as "inFlight", retrying::float8, moved::float8,
             failed::float8, in_held_jobs::float8 as "inHeldJobs", looking_up::float8 as "lookingUp",
             held_kind as "heldKind", oldest_pending_at as "oldestPendingAt",
             eta is null as "hasNoEta"
      from device_move.routes`)
    const { routes } = await statusNow()
    expect(rows).toHaveLength(2)
    for (const { oldestPendingAt, hasNoEta, ...row } of rows) {
      const shown = routes.find(({ routeId }) => routeId === row.routeId)
      expect(shown).toMatchObject({ ...row, oldestPendingAt: oldestPendingAt?.toISOString() ?? null })
      expect(shown?.eta === null).toBe(hasNoEta)
    }
  })

  it('shows the records that Kafka deleted before they were taken in, and keeps showing them', async () => {
    const journey = await journeyOf()
    await journey.append({ requestId: 'r1', devices: ['dev1'] })
    expect((await statusNow()).lostRecords).toEqual([])
    const { rows } = await database.pool.query(
      'select cluster_id, topic, partition, next_offset from consumed',
    )
    const { cluster_id: clusterId, topic, partition, next_offset: from } = rows[0]
    const intake = createIntakeJournal(database.pool)
    // Done again after a lost answer, it is counted once.
    for (const _time of [1, 2])
      await firstValueFrom(intake.skip({ clusterId, topic, partition }, { from, to: from + 7n }), {
        defaultValue: undefined,
      })
    const lost = { topic, partition, records: 7, lastAt: expect.any(String) }
    expect((await statusNow()).lostRecords).toEqual([lost])
    await journey.append({ requestId: 'r2', devices: ['dev2'] })
    expect((await statusNow()).lostRecords).toEqual([lost])
  })

  it('shows jobs that run for ten times the usual time, and for half an hour at least', async () => {
    const { append, claimJob, start } = await journeyOf()
    await append({ requestId: 'r1', devices: ['dev1'] })
    const job = await claimJob()
    await start(job)
    const aged = (age: string) =>
      database.pool.query(`update job set create_started_at = now() - '${age}'::interval`)
    await aged('29 minutes')
    expect((await statusNow()).overdueJobs).toEqual([])
    await aged('31 minutes')
    expect((await statusNow()).overdueJobs).toEqual([
      {
        batchId: job.batchId,
        jobId: `P${job.batchId}`,
        routeId: job.routeId,
        moves: 1,
        runningSince: expect.any(String),
        ageMs: expect.any(Number),
        usualMs: null,
        resolutions: ['absent', 'fail'],
      },
    ])
  })

  it('shows batches that are not held and do not go on as they should', async () => {
    const { append, claimJob, start, drive } = await journeyOf()
    const troubled = async () =>
      (await statusNow()).troubledJobs.map(each => [
        ...[each.kind, each.batchId, each.jobId, each.refusals, each.lastError],
      ])
    const route = (target: string) => ({
      requestId: target,
      route: routeTo(target),
      devices: [`dev-${target}`],
    })
    const inHand: number[] = []
    const claimNext = async () => {
      const job = await claimJob(inHand)
      inHand.push(job.batchId)
      return job
    }
    await append(route('iot-1'))
    const denied = await claimNext()
    await append(route('iot-2'))
    const refused = await claimNext()
    await append(route('iot-3'))
    const unanswered = await claimNext()
    await append(route('iot-4'))
    const unread = await claimNext()
    expect(await troubled()).toEqual([])

    await start(denied)
    await firstValueFrom(drive.setLastError(denied.batchId, 'not found'))
    for (const counted of [true, true, false]) {
      await firstValueFrom(drive.creating(refused.batchId))
      await firstValueFrom(drive.notCreated(refused.batchId, 'iot.odd: no', counted))
    }
    await firstValueFrom(drive.creating(unanswered.batchId))
    await firstValueFrom(drive.unanswered(unanswered.batchId, 'deadline: no answer'))
    await start(unread)
    await firstValueFrom(drive.markEnded(unread, 'interrupted'))
    await firstValueFrom(drive.setLastError(unread.batchId, 'ECONNREFUSED'))
    expect(await troubled()).toEqual([
      ['no-results', unread.batchId, `P${unread.batchId}`, 0, 'ECONNREFUSED'],
      ['unanswered', unanswered.batchId, null, 0, 'deadline: no answer'],
      ['refused', refused.batchId, null, 2, 'iot.odd: no'],
      ['denied', denied.batchId, `P${denied.batchId}`, 0, 'not found'],
    ])

    await firstValueFrom(drive.setLastError(denied.batchId, null))
    await firstValueFrom(drive.setLastError(unread.batchId, null))
    await firstValueFrom(drive.hold(refused, 'iot.odd: no'))
    // The job was throttled once and nothing else, which passes.
    await firstValueFrom(drive.notCreated(unanswered.batchId, 'Throttling: slower', false))
    expect(await troubled()).toEqual([])
  })

  it('shows the line of look-ups, its pace, and what is left of held jobs', async () => {
    const { append, claimJob, start, drive } = await journeyOf()
    expect((await statusNow()).lookUps).toBeNull()
    await append({ requestId: 'r', devices: ['dev1', 'dev2', 'dev3', 'dev4', 'dev5'] })
    const job = await claimJob()
    await start(job)
    await firstValueFrom(drive.markEnded(job, 'interrupted'))
    const [one, ...others] = verdicts(job)
    if (one === undefined) throw new Error('five moves')
    await firstValueFrom(drive.settle(job.batchId, [one], 'interrupted', { holdUntold: 'no file' }))
    expect(await statusNow()).toMatchObject({
      lookUps: { jobs: 1, moves: 4, perSecond: null, remainingMs: null },
      openJobs: { 'looking-up': 1 },
      moves: { moved: 1, in_flight: 4, gap: 0 },
    })
    for (const verdict of others.slice(0, 3))
      await firstValueFrom(drive.settleLookedUp(job.batchId, [], [verdict]))
    // Two parts after the first one, in four seconds.
    await database.pool.query(
      `update job_part set settled_at = now() - (4 - part) * interval '2 seconds' where job_id = $1`,
      [job.batchId],
    )
    expect((await statusNow()).lookUps).toEqual({ jobs: 1, moves: 1, perSecond: 0.5, remainingMs: 2_000 })
    await firstValueFrom(drive.hold(job, 'no file, and 1 move stays untold'))
    expect(await statusNow()).toMatchObject({
      lookUps: null,
      heldJobs: [
        { batchId: job.batchId, status: 'looking-up', moves: 1, resolutions: ['again', 'fail', 'resend'] },
      ],
      moves: { moved: 4, held: 1, in_flight: 0, gap: 0 },
    })
  })
})
