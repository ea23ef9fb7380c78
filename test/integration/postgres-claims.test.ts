import type { PoolClient } from 'pg'
import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { Verdict } from '../../src/domain/outcome'
import type { Claim, DriveJournal, IntakeJournal } from '../../src/ports'
import { candidateRoutes } from '../../src/postgres/candidate-routes'
import { createDriveJournal } from '../../src/postgres/drive-journal'
import { finalOutcomes } from '../../src/postgres/final-outcomes'
import { createIntakeJournal } from '../../src/postgres/intake-journal'
import { forceIndexes, otherMovesQuery } from '../../src/postgres/other-moves'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { readConservation, recountFromViews } from '../support/journal-harness'
import { chunkOf, type RequestSpec, routeTo } from '../support/journal-requests'

const moved = (job: Job): Verdict[] =>
  job.moves.map(({ seq }) => ({
    seq,
    outcome: 'moved',
    final: true,
    code: '200',
    message: null,
    retryInMs: null,
  }))

const jobOf = (claim: Claim): Job => {
  if (claim.kind !== 'job') throw new Error(`nothing to claim, wake in ${claim.wakeInMs}`)
  return claim.job
}

describe('claims in PostgreSQL', () => {
  let database: JournalDatabase
  let intake: IntakeJournal
  let drive: DriveJournal
  let offset = 0n

  const append = (...requests: readonly RequestSpec[]) => {
    const chunk = chunkOf(offset, requests)
    offset = chunk.nextOffset
    return firstValueFrom(intake.append(chunk))
  }
  const startAndEnd = async (job: Job): Promise<void> => {
    await firstValueFrom(drive.creating(job.jobId))
    await firstValueFrom(drive.created(job.jobId, `P${job.jobId}`))
    await firstValueFrom(drive.ended(job.jobId, 'completed'))
  }
  const settle = (job: Job) => firstValueFrom(drive.settle(job.jobId, moved(job), 'completed'))
  /** Resolves when a session waits for the claim lock. */
  const someoneWaits = async (client: PoolClient): Promise<void> => {
    const sql = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
                   and query like '%claim_lock%'`
    while ((await client.query(sql)).rowCount === 0);
  }

  beforeEach(async () => {
    database = await createJournalDatabase()
    intake = createIntakeJournal(database.pool)
    drive = createDriveJournal(database.pool, 1n, { batchMaxDevices: 10_000, batchMaxWaitMs: 0 })
    offset = 0n
  })
  afterEach(async () => {
    const counted = await readConservation(database.pool)
    expect(counted.gap).toBe(0)
    expect(await recountFromViews(database.pool)).toEqual(counted)
    await database.drop()
  })

  it('releases a waiter when the settlement it waits for is under way during its claim', async () => {
    await append({ requestId: 'r1', route: routeTo('iot-1'), devices: ['dev1'] })
    const first = jobOf(await firstValueFrom(drive.claim([])))
    await startAndEnd(first)
    await append({ requestId: 'r2', route: routeTo('iot-2'), devices: ['dev1'] })
    // Both want the lock: whichever comes first, the later request must not be forgotten.
    const blocker = await database.pool.connect()
    await blocker.query('begin; select from claim_lock for update')
    const settled = settle(first)
    await someoneWaits(blocker)
    const claimed = firstValueFrom(drive.claim([first.jobId]))
    await blocker.query('commit')
    blocker.release()
    await settled
    const direct = await claimed
    const second = direct.kind === 'job' ? direct.job : jobOf(await firstValueFrom(drive.claim([])))
    expect(second.route).toEqual(routeTo('iot-2'))
    await startAndEnd(second)
    await settle(second)
  })

  it('lets one of two claims at the same time have a batch', async () => {
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    const claims = await Promise.all([1, 2, 3].map(() => firstValueFrom(drive.claim([]))))
    // Each finds the same job: claimed by one, unfinished and in nobody's hand for the others.
    expect(new Set(claims.map(claim => jobOf(claim).jobId)).size).toBe(1)
  })

  it('a take-over waits for a transaction of the old holder, and ends the rest', async () => {
    await append({ requestId: 'r1', devices: ['dev1'] })
    const blocker = await database.pool.connect()
    await blocker.query('begin; select from claim_lock for update')
    const claimed = firstValueFrom(drive.claim([]))
    await someoneWaits(blocker)
    const takeOver = database.pool.query('update lease set epoch = 2')
    await blocker.query('commit')
    blocker.release()
    expect(jobOf(await claimed).status).toBe('claimed')
    await takeOver
    await expect(firstValueFrom(drive.claim([]))).rejects.toThrow('epoch 1 is over')
  })

  it('looks devices up by the hash index however large the log, without statistics', async () => {
    await database.pool.query(
      `insert into route (identity, product_key, source_instance_id, strategy, target_instance_ids, target_uid, priority)
         select decode(md5(n::text), 'hex'), 'a1Product', 's', 0, array[n::text], '1', 'normal' from generate_series(1, 40) n;
       insert into route_intake select n, 5000, 0, 5000 from generate_series(1, 40) n;
       insert into route_claims select n, 0 from generate_series(1, 40) n;
       insert into consumed (cluster_id, topic, partition) values ('c', 't', 0);
       insert into move select 1 + n % 40, 1 + n / 40, 1, 1, n, n, now(), now(), 'dev-' || n, 'r-' || n
         from generate_series(0, 199999) n`,
    )
    const client = await database.pool.connect()
    await client.query(`begin; ${forceIndexes}`)
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(
      `explain (analyze, timing off) ${otherMovesQuery}`,
      [1, 1, 5_000],
    )
    await client.query('rollback')
    client.release()
    const plan = rows.map(row => row['QUERY PLAN']).join('\n')
    expect(plan).toMatch(/(Index Scan using|Bitmap Index Scan on) move_device/)
    expect(plan).toMatch(/(Index Scan using|Bitmap Index Scan on) requeue_device/)
    // Every row was touched a bounded number of times: nothing was joined with the whole log.
    const touched = [...plan.matchAll(/actual rows=([\d.]+) loops=(\d+)/g)].map(
      found => Number(found[1]) * Number(found[2]),
    )
    expect(touched.length).toBeGreaterThan(5)
    expect(Math.max(...touched)).toBeLessThanOrEqual(5_000)
    const job = jobOf(await firstValueFrom(drive.claim([])))
    expect(job.moves).toHaveLength(5_000)
  })

  it('lists thousands of routes with one look-up each', async () => {
    await database.pool.query(
      `insert into route (identity, product_key, source_instance_id, strategy, target_instance_ids, target_uid, priority)
         select decode(md5(n::text), 'hex'), 'a1Product', 's', 0, array[n::text], '1', 'normal' from generate_series(1, 5000) n;
       insert into route_intake select n, 20, 0, 20 from generate_series(1, 5000) n;
       insert into route_claims select n, 0 from generate_series(1, 5000) n;
       insert into consumed (cluster_id, topic, partition) values ('c', 't', 0);
       insert into move select 1 + n % 5000, 1 + n / 5000, 1, 1, n, n, now(), now(), 'dev-' || n, 'r-' || n
         from generate_series(0, 99999) n`,
    )
    const client = await database.pool.connect()
    const candidates = await candidateRoutes(client)
    client.release()
    expect(candidates).toHaveLength(5_000)
    expect(candidates[0]).toMatchObject({ pending: 20, claimed: 0n, priority: 'normal' })
    expect(jobOf(await firstValueFrom(drive.claim([]))).moves).toHaveLength(20)
  })

  it('gives the final outcomes of one topic, each request and device once, in the same order every time', async () => {
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'] }, { requestId: 'r1', devices: ['dev1'] })
    await firstValueFrom(intake.append(chunkOf(offset, [], [{ code: 'empty_value' }])))
    const first = jobOf(await firstValueFrom(drive.claim([])))
    await startAndEnd(first)
    const [one, two] = moved(first)
    if (one === undefined || two === undefined) throw new Error('two moves')
    const again: Verdict = { ...two, outcome: 'failed', final: false, code: '9500', retryInMs: 0 }
    await firstValueFrom(drive.settle(first.jobId, [one, again], 'completed'))
    const read = async (topic: string) => {
      const found: string[] = []
      for await (const { deviceName, outcome, attempt } of finalOutcomes(database.pool, topic))
        found.push(`${deviceName} ${outcome} ${attempt}`)
      return found
    }
    expect(await read('requests')).toEqual(['dev1 moved 1', 'null rejected 1'])
    const second = jobOf(await firstValueFrom(drive.claim([])))
    await startAndEnd(second)
    await settle(second)
    const all = ['dev1 moved 1', 'dev2 moved 2', 'null rejected 1']
    expect(await read('requests')).toEqual(all)
    expect(await read('requests')).toEqual(all)
    expect(await read('other')).toEqual([])
  })
})
