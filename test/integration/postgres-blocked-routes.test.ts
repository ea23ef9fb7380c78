import { firstValueFrom } from 'rxjs'
import { countStuck } from '../../src/postgres/status/run-summary'
import { routeTo } from '../support/journal-requests'
import { useJournal } from '../support/journal-suite'

describe('a held job whose create is not answered', () => {
  const { journey, database } = useJournal()

  it('is named by every route that waits for it, and says why it is held', async () => {
    const several = routeTo('iot-1', { strategy: 1, targetInstanceIds: ['iot-1', 'iot-2'] })
    // A settled job gives a pace, and with it an ETA.
    await journey.append({ requestId: 'r0', route: routeTo('iot-0'), devices: ['dev0'] })
    await journey.finish(await journey.claimJob())
    await journey.append({ requestId: 'r1', route: several, devices: ['dev1'] })
    const job = await journey.claimJob()
    const blocked = async (): Promise<unknown> => {
      const { rows } = await database.pool.query(
        `select route_id, pending::integer, in_flight::integer, blocked_by_batch::integer, blocked_at <= now() as since,
                blocked_reason, eta is null as "noEta"
         from device_move.routes where route_id > 1 order by route_id`,
      )
      return rows.map(row => Object.values(row))
    }
    await journey.append(
      { requestId: 'r2', route: several, devices: ['dev2'] },
      {
        requestId: 'r3',
        route: { ...several, priority: 'urgent', targetUid: null, targetAliyunId: 'b@x' },
        devices: ['dev3'],
      },
      { requestId: 'r4', route: { ...several, targetInstanceIds: ['iot-1'] }, devices: ['dev4'] },
    )
    await firstValueFrom(journey.drive.creating(job.batchId))
    await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
    const free = [null, null, null]
    expect(await blocked()).toEqual([
      [2, 1, 1, ...free, false],
      [3, 1, 0, ...free, false],
      [4, 1, 0, ...free, false],
    ])
    await firstValueFrom(journey.drive.hold(job, 'several listed jobs could be it'))
    const held = [job.batchId, true, 'several listed jobs could be it']
    expect(await blocked()).toEqual([
      [2, 1, 0, ...held, true],
      [3, 1, 0, ...held, true],
      [4, 1, 0, ...free, false],
    ])
    // The moves in the job are held; those that wait behind it are pending.
    expect(await journey.at.conservation()).toMatchObject({ held: 1, pending: 3 })
    const { rows } = await database.pool.query(
      `select batch_id::integer, job_id, status, held_at <= now() as held, held_reason, last_error from device_move.jobs where job_id is null`,
    )
    expect(rows).toEqual([
      {
        batch_id: job.batchId,
        job_id: null,
        status: 'unknown',
        held: true,
        held_reason: 'several listed jobs could be it',
        last_error: 'timeout',
      },
    ])
  })

  it('leaves the routes that wait for it with nothing to be done for themselves, and no other route', async () => {
    const stuck = () => countStuck(database.pool)
    await journey.append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    const job = await journey.claimJob()
    const other = routeTo('iot-9')
    // These are a request of its own route, a later one for its device on another route, and an unrelated one.
    await journey.append(
      { requestId: 'r2', devices: ['dev3'] },
      { requestId: 'r3', route: other, devices: ['dev1', 'dev3', 'dev4'] },
    )
    const free = await journey.claimJob([job.batchId])
    expect(free.moves.map(({ deviceName }) => deviceName)).toEqual(['dev4'])
    await firstValueFrom(journey.drive.creating(job.batchId))
    await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
    expect(await stuck()).toBe(0)
    await firstValueFrom(journey.drive.hold(job, 'several listed jobs could be it'))
    expect(await journey.at.conservation()).toMatchObject({ held: 2, pending: 3, in_flight: 1 })
    expect(await stuck()).toBe(3)
    await journey.at.holdRoute(job.routeId, true)
    expect(await journey.at.conservation()).toMatchObject({ held: 3, pending: 2 })
    expect(await stuck()).toBe(2)
    await journey.at.holdRoute(job.routeId, false)
    await journey.at.releaseJob(job.batchId)
    expect(await stuck()).toBe(0)
  })

  it('is not the only thing that blocks routes, because a batch that is refused again and again does too', async () => {
    await journey.append({ requestId: 'r1', devices: ['dev1'] })
    const job = await journey.claimJob()
    await journey.append({ requestId: 'r2', devices: ['dev2'] })
    const refuse = async (why: string, counted: boolean): Promise<void> => {
      await firstValueFrom(journey.drive.creating(job.batchId))
      await firstValueFrom(journey.drive.notCreated(job.batchId, why, counted))
    }
    const blocked = async (): Promise<unknown> => {
      const { rows } = await database.pool.query(
        `select blocked_by_batch::integer, blocked_at <= now() as since, blocked_reason from device_move.routes`,
      )
      return rows.map(row => Object.values(row))
    }
    const free = [[null, null, null]]
    await refuse('Throttling: slower', false)
    expect(await blocked()).toEqual(free)
    for (const times of ['1 time', '2 times']) {
      await refuse('iot.odd: no', true)
      const reason = `refused ${times} with unrecognised codes, last error: iot.odd: no`
      expect(await blocked()).toEqual([[job.batchId, true, reason]])
    }
    await journey.start(job)
    expect(await blocked()).toEqual(free)
  })

  it('does not stand for halves of a refused batch that wait for each other, because they have not been refused', async () => {
    await journey.append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    const job = await journey.claimJob()
    await firstValueFrom(journey.drive.split(job.batchId, 'iot.odd: no'))
    const { rows } = await database.pool.query('select blocked_by_batch from device_move.routes')
    expect(rows).toEqual([{ blocked_by_batch: null }])
  })

  it('blocks no route once its job runs', async () => {
    await journey.append({ requestId: 'r1', devices: ['dev1'] })
    const job = await journey.claimJob()
    await journey.start(job)
    await firstValueFrom(journey.drive.hold(job, 'unreadable'))
    const { rows } = await database.pool.query(
      'select blocked_by_batch, blocked_reason from device_move.routes',
    )
    expect(rows).toEqual([{ blocked_by_batch: null, blocked_reason: null }])
  })
})
