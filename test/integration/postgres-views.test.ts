import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { Verdict } from '../../src/domain/outcome'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { harnessOn } from '../support/journal-harness'
import { all, createJourney, verdicts } from '../support/journal-journey'
import { chunkOf, requestedAt, routeTo } from '../support/journal-requests'

/** One journal with a move in every state; each test looks at one view. */
describe('the views', () => {
  let database: JournalDatabase
  const journey = createJourney({
    open: async options => harnessOn(database.pool, options),
    close: async () => undefined,
  })
  const { append, claimJob, start, published } = journey

  const rows = async (sql: string): Promise<object[]> => (await database.pool.query<object>(sql)).rows

  const settleEach = async (job: Job, more: readonly Partial<Verdict>[]): Promise<void> => {
    const each = verdicts(job).map((verdict, index) => ({ ...verdict, ...more[index] }))
    await firstValueFrom(journey.drive.markEnded(job, 'completed'))
    await firstValueFrom(journey.drive.settle(job.batchId, each, 'completed'))
  }

  // Route 1 has a settled job, 2 a running one, 3 one that is held; 4 is held by an operator, 5 waits.
  beforeAll(async () => {
    database = await createJournalDatabase()
    await journey.open(all)
    await append({ requestId: 'r1', route: routeTo('iot-1'), devices: ['moved', 'failed', 'retried'] })
    const settled = await claimJob()
    await start(settled)
    await firstValueFrom(journey.drive.addCalls(settled.batchId, 3))
    await settleEach(settled, [
      {},
      { outcome: 'failed', code: '6204', message: 'no such device' },
      { outcome: 'failed', final: false, code: '9500', message: 'busy', retryInMs: 3_600_000 },
    ])
    await append({ requestId: 'r1', route: routeTo('iot-2'), devices: ['moved', 'running'] })
    const running = await claimJob()
    await start(running)
    await append({ requestId: 'r3', route: routeTo('iot-3'), devices: ['stuck'] })
    const stuck = await claimJob([running.batchId])
    await start(stuck)
    await firstValueFrom(journey.drive.hold(stuck, 'unreadable'))
    await append({ requestId: 'r4', route: routeTo('iot-4'), devices: ['parked'] })
    await journey.at.holdRoute(4, true)
    await append({
      requestId: 'r5',
      route: routeTo('iot-5', { priority: 'urgent' }),
      devices: ['waiting', 'moved'],
    })
    const bad = { requestId: 'r6', productKey: 'a1Product', deviceName: 'bad' }
    await firstValueFrom(journey.at.intake.append(chunkOf(5n, [], [bad, bad])))
  })
  afterAll(() => database.drop())

  it('show in moves where each request and device stands', async () => {
    const found = await rows(
      `select request_id, device_name, state, attempts, code, settled_at is not null as ended
       from device_move.moves order by request_id, device_name`,
    )
    expect(found.map(row => Object.values(row))).toEqual([
      ['r1', 'failed', 'failed', 1, '6204', true],
      ['r1', 'moved', 'moved', 1, '200', true],
      ['r1', 'retried', 'retrying', 1, null, false],
      ['r1', 'running', 'in_flight', 1, null, false],
      ['r3', 'stuck', 'held', 1, null, false],
      ['r4', 'parked', 'held', 0, null, false],
      ['r5', 'moved', 'pending', 0, null, false],
      ['r5', 'waiting', 'pending', 0, null, false],
      ['r6', 'bad', 'rejected', 0, 'invalid_json', true],
    ])
    expect(await rows('select distinct requested_at, product_key from device_move.moves')).toEqual([
      { requested_at: requestedAt, product_key: 'a1Product' },
    ])
  })

  it('show in outcomes the same as is published', async () => {
    const found = await rows(
      `select outcome_id as id, request_id as "requestId", device_name as "deviceName", product_key as "productKey",
              source_instance_id as "sourceInstanceId", target_instance_ids as "targetInstanceIds", outcome, final,
              code, message, attempt, job_id as "jobId", requested_at as "requestedAt", settled_at as "settledAt"
       from device_move.outcomes order by source_offset, outcome_id`,
    )
    expect(found).toHaveLength(4)
    const sent = [...(await published())].sort((a, b) =>
      a.source.offset === b.source.offset
        ? a.id.localeCompare(b.id)
        : Number(a.source.offset - b.source.offset),
    )
    expect(sent).toMatchObject(found)
  })

  it('show in devices the latest request of each, and where it was last moved', async () => {
    const found = await rows(
      `select device_name, state, request_id, last_moved_to, last_moved_at is not null as moved
       from device_move.devices order by device_name`,
    )
    expect(found.map(row => Object.values(row))).toEqual([
      ['failed', 'failed', 'r1', null, false],
      ['moved', 'pending', 'r5', ['iot-1'], true],
      ['parked', 'held', 'r4', null, false],
      ['retried', 'retrying', 'r1', null, false],
      ['running', 'in_flight', 'r1', null, false],
      ['stuck', 'held', 'r3', null, false],
      ['waiting', 'pending', 'r5', null, false],
    ])
  })

  it('show in jobs one row each, with what became of its moves', async () => {
    const found = await rows(
      `select job_id, route_id, status, devices, moved, failed, retried, calls, held_reason,
              created_at is not null as created, finished_at is not null as finished
       from device_move.jobs order by batch_id`,
    )
    expect(found.map(row => Object.values(row))).toEqual([
      ['P1', 1, 'completed', 3, 1, 1, 1, 3, null, true, true],
      ['P2', 2, 'running', 1, 0, 0, 0, 0, null, true, false],
      ['P3', 3, 'running', 1, 0, 0, 0, 0, 'unreadable', true, false],
    ])
  })

  it('show in routes what each has to do and has done', async () => {
    const found = await rows(
      `select route_id, target_instance_ids[1] as target, priority, pending::integer, in_flight::integer,
              retrying::integer, in_held_jobs::integer as held, moved::integer, failed::integer, oldest_pending_at is not null as waits,
              eta > now() as later, held_reason
       from device_move.routes order by route_id`,
    )
    expect(found.map(row => Object.values(row))).toEqual([
      [1, 'iot-1', 'normal', 0, 0, 1, 0, 1, 1, false, true, null],
      [2, 'iot-2', 'normal', 0, 1, 0, 0, 0, 0, false, true, null],
      [3, 'iot-3', 'normal', 0, 0, 0, 1, 0, 0, false, null, null],
      [4, 'iot-4', 'normal', 1, 0, 0, 0, 0, 0, true, null, 'test'],
      [5, 'iot-5', 'urgent', 2, 0, 0, 0, 0, 0, true, true, null],
    ])
    // The figures are the same as the states of moves, where an operator holds nothing.
    const states = await rows(
      `select r.route_id, r.pending, r.in_flight, r.retrying, r.in_held_jobs,
              count(*) filter (where m.state = 'pending') as "pendingMoves",
              count(*) filter (where m.state = 'in_flight') as "inFlightMoves",
              count(*) filter (where m.state = 'retrying') as "retryingMoves",
              count(*) filter (where m.state = 'held') as "heldMoves"
       from device_move.routes r join device_move.moves m using (route_id)
       where r.held_at is null group by 1, 2, 3, 4, 5`,
    )
    expect(states).toHaveLength(4)
    for (const state of states) {
      const [, ...counts] = Object.values(state)
      expect(counts.slice(0, 4)).toEqual(counts.slice(4))
    }
  })

  it('leave held moves out of the estimates in routes', async () => {
    const [{ share }] = (await rows(
      `with backlog as (select sum(pending + in_flight + retrying) filter (where held_at is null) as moves from device_move.routes),
            pace as (select sum(moves) / greatest(extract(epoch from max(settled_at) - min(claimed_at)), 1) as per_second
                     from job where status = 'settled')
       select round(extract(epoch from r.eta - now()) * pace.per_second / backlog.moves, 3)::float8 as share
       from device_move.routes r, backlog, pace where r.route_id = 5`,
    )) as [{ share: number }]
    expect(share).toBe(1)
  })

  it('show failures by code, and throughput by hour', async () => {
    const failures = await rows(
      `select code, outcomes::integer, final::integer, retried::integer, last_seen_at <= now() as seen
       from device_move.failures_by_code order by code`,
    )
    expect(failures.map(row => Object.values(row))).toEqual([
      ['6204', 1, 1, 0, true],
      ['9500', 1, 0, 1, true],
      ['invalid_json', 1, 1, 0, true],
    ])
    const hours = await rows(
      `select jobs::integer, devices::integer, moved::integer, failed::integer, retried::integer, calls::integer,
              hour = date_trunc('hour', hour) as whole
       from device_move.throughput_hourly`,
    )
    expect(hours).toEqual([{ jobs: 1, devices: 3, moved: 1, failed: 1, retried: 1, calls: 3, whole: true }])
  })

  it('show in conservation every move taken in, and where it is', async () => {
    expect(await journey.at.conservation()).toEqual({
      accepted: 11,
      moved: 1,
      failed: 1,
      rejected: 1,
      superseded: 0,
      duplicate: 2,
      pending: 2,
      in_flight: 1,
      retrying: 1,
      held: 2,
      gap: 0,
    })
    await journey.check()
  })
})
