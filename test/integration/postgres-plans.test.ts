import { Client } from 'pg'
import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { Verdict } from '../../src/domain/outcome'
import type { DriveJournal } from '../../src/ports/journal'
import { createDriveJournal } from '../../src/postgres/job/drive-journal'
import { createOutbox } from '../../src/postgres/outbox/outbox'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { names, verdicts } from '../support/journal-journey'
import { type WatchedJournal, watchJournal } from '../support/journal-plans'

/** Makes routes `from` to `to` with `moves` moves each; `name` gives the device at position s of route r. */
const fill = (
  from: number,
  to: number,
  moves: number,
  name: string,
  priority = 'normal',
  requestId = `'r-' || r || '-' || s`,
): string => `
  with routes as (
    insert into route (identity, product_key, source_instance_id, strategy, target_instance_ids, target_uid, priority)
    select decode(md5(n::text), 'hex'), 'a1Product', 's', 0, array[n::text], '1', '${priority}'
    from generate_series(${from}, ${to}) n returning route_id
  ), intake as (
    insert into route_intake select route_id, ${moves}, 0, ${moves} from routes
  ), claims as (
    insert into route_claims select route_id, 0 from routes
  )
  insert into move
  select r, s, 1, 1, s, nextval('acceptance'), now(), now(), ${name}, ${requestId}
  from (select route_id from routes) t (r) cross join generate_series(1, ${moves}) s order by s, r`

/** 150,000 moves appended a moment ago, batches of 10,000, and no statistics of any table. */
describe('query plans without statistics', () => {
  let database: JournalDatabase
  let admin: Client
  let watch: WatchedJournal
  let drive: DriveJournal

  beforeEach(async () => {
    database = await createJournalDatabase()
    admin = new Client(database.url)
    await admin.connect()
    watch = await watchJournal(database.url, admin)
    drive = createDriveJournal(watch.pool, 1n, { batchMaxDevices: 10_000, batchMaxWaitMs: 0 })
    await admin.query('set search_path to device_move_journal')
    await admin.query(`insert into consumed (cluster_id, topic, partition) values ('c', 't', 0)`)
  })
  afterEach(async () => {
    await watch.pool.end()
    await admin.end()
    await database.drop()
  })

  const claimAndRun = async (inHand: readonly number[]): Promise<Job> => {
    const claimed = await firstValueFrom(drive.claim(inHand))
    if (claimed.kind !== 'job') throw new Error('nothing to claim')
    const { job } = claimed
    await firstValueFrom(drive.creating(job.batchId))
    await firstValueFrom(drive.created(job.batchId, `P${job.batchId}`))
    return job
  }
  const settle = async (job: Job, all: readonly Verdict[]): Promise<void> => {
    await firstValueFrom(drive.markEnded(job, 'completed'))
    await firstValueFrom(drive.settle(job.batchId, all, 'completed'))
  }
  const mixed = (job: Job): Verdict[] =>
    verdicts(job).map((verdict, index): Verdict => {
      if (index % 3 === 0) return verdict
      const failed: Verdict = { ...verdict, outcome: 'failed', code: '9500', message: 'busy' }
      return index % 3 === 1 ? failed : { ...failed, final: false, retryInMs: 0 }
    })
  /** No step of any statement may touch more rows than a few batches have. */
  const expectModest = (what: string): void => {
    const statements = watch.statements()
    expect(statements.length).toBeGreaterThan(0)
    const busy = statements.filter(({ busiestStep }) => busiestStep > 45_000)
    expect({ what, busy }).toEqual({ what, busy: [] })
  }

  it('touch a few batches, not whole routes', async () => {
    await admin.query(fill(1, 1, 100_000, `'dev-' || s`))
    const first = await claimAndRun([])
    expect(first.moves).toHaveLength(10_000)
    expectModest('claim')
    // Every other device is in flight and waits; the rest is sent.
    await admin.query(
      fill(2, 2, 10_000, `case s % 2 when 0 then 'dev-' || s / 2 else 'new-' || s end`, 'urgent'),
    )
    const second = await claimAndRun([first.batchId])
    expect(second.moves).toHaveLength(5_000)
    expect(new Set(names(second).map(name => name.slice(0, 4)))).toEqual(new Set(['new-']))
    expectModest('claim with waiting moves')
    await settle(second, mixed(second))
    expectModest('settle with every kind of outcome')
    await settle(first, verdicts(first))
    expectModest('settle and release those that waited')
    const third = await claimAndRun([])
    expect(third).toMatchObject({ routeId: 2 })
    expect(third.moves).toHaveLength(5_000 + 1_666)
    expectModest('claim what was due')
    await firstValueFrom(createOutbox(watch.pool).next(0n, { outcomes: 100_000, bytes: 100_000_000 }))
    expectModest('outbox')
    await settle(third, verdicts(third))
    const fourth = await claimAndRun([])
    await settle(fourth, mixed(fourth))
    expectModest('settle the rest')
  })

  it('look at each move of a device once, however often a batch names it', async () => {
    await admin.query(fill(1, 1, 10_000, `'dev-1'`))
    const first = await claimAndRun([])
    expect(first.moves).toHaveLength(10_000)
    expectModest('claim of one device')
    await admin.query(fill(2, 2, 10_000, `'dev-1'`))
    expect(await firstValueFrom(drive.claim([first.batchId]))).toEqual({ kind: 'idle', wakeInMs: null })
    expectModest('claim of what must wait')
    await settle(first, verdicts(first))
    expectModest('settle and release')
    expect((await claimAndRun([])).moves).toHaveLength(10_000)
    expectModest('claim of what was released')
    await admin.query(fill(3, 3, 10_000, `'dev-2'`, 'urgent', `'the same'`))
    const one = await claimAndRun([first.batchId, 2])
    expect(one.moves).toHaveLength(1)
    expectModest('claim of one among repeats')
    await settle(one, verdicts(one))
    expectModest('settle one among repeats')
    await firstValueFrom(createOutbox(watch.pool).next(1n, { outcomes: 100_000, bytes: 100_000_000 }))
    expectModest('outbox of one among repeats')
  })

  it('look at each of thousands of routes once', async () => {
    await admin.query(fill(1, 5_000, 20, `'dev-' || r || '-' || s`))
    const job = await claimAndRun([])
    expect(job.moves).toHaveLength(20)
    const statements = watch.statements()
    const listing = statements.filter(({ sql }) => sql.includes('"oldestAt"'))
    expect(listing).toMatchObject([{ indexes: expect.arrayContaining(['move_pkey']) }])
    expect(Math.max(...statements.map(({ busiestStep }) => busiestStep))).toBeLessThanOrEqual(10_000)
  })

  it('find the devices of a batch by the index, among 200,000 moves', async () => {
    await admin.query(fill(1, 40, 5_000, `'dev-' || r || '-' || s`))
    const job = await claimAndRun([])
    expect(job.moves).toHaveLength(5_000)
    const [search, ...more] = watch.statements().filter(({ sql }) => sql.startsWith('with batch as'))
    expect(more).toEqual([])
    expect(search?.indexes).toEqual(expect.arrayContaining(['move_device', 'requeue_device']))
    expect(search?.busiestStep).toBeLessThanOrEqual(5_000)
  })

  it('read a part of a job by its range, and the next devices to look up within their job', async () => {
    await admin.query(fill(1, 1, 100_000, `'dev-' || s`))
    const job = await claimAndRun([])
    await firstValueFrom(drive.markEnded(job, 'interrupted'))
    // Every other device is told by the file.
    const told = verdicts(job).filter((_, index) => index % 2 === 0)
    await firstValueFrom(drive.settle(job.batchId, told, 'interrupted', { holdUntold: null }))
    expectModest('settle what the file tells')
    const outbox = createOutbox(watch.pool)
    const most = { outcomes: 1, bytes: 100_000_000 }
    expect((await firstValueFrom(outbox.next(0n, most)))?.outcomes).toHaveLength(5_000)
    watch.statements()

    const busiest = (): number => Math.max(...watch.statements().map(({ busiestStep }) => busiestStep))
    expect(await firstValueFrom(drive.nextUntold())).toMatchObject({ batchId: job.batchId })
    expect(busiest()).toBeLessThanOrEqual(10)
    for (const part of [2n, 3n]) {
      const moves = await firstValueFrom(drive.untoldMoves(job.batchId, 100))
      expect(moves).toHaveLength(100)
      const lookUps = moves.map(({ deviceName }) => ({
        deviceName,
        answeredAt: 1,
        found: null,
        code: 'iot.x',
      }))
      const seqs = new Set(moves.map(({ seq }) => seq))
      await firstValueFrom(
        drive.settleLookedUp(
          job.batchId,
          lookUps,
          verdicts(job).filter(({ seq }) => seqs.has(seq)),
        ),
      )
      // Within the job, however long its route is.
      expect(busiest()).toBeLessThanOrEqual(10_000)
      const chunk = await firstValueFrom(outbox.next(part - 1n, most))
      expect(chunk).toMatchObject({ lastId: part, outcomes: { length: 100 } })
      // The part's own range, in which every other move was told before.
      expect(busiest()).toBeLessThanOrEqual(400)
    }
  })
})
