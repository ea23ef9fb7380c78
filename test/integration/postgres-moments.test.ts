import { EMPTY, firstValueFrom } from 'rxjs'
import { followList } from '../../src/commands/move/follow-list'
import { reportRun } from '../../src/commands/move/report-run'
import { readJobEvidence } from '../../src/postgres/job/evidence'
import { createPool, type Pool } from '../../src/postgres/session/session'
import { isTakenIn } from '../../src/postgres/status/conservation'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { harnessOn } from '../support/journal-harness'
import { all, createJourney } from '../support/journal-journey'
import { sessionsWaiting, whileLocked } from '../support/journal-locks'
import { chunkOf } from '../support/journal-requests'

describe('what is read of a journal in several statements', () => {
  let database: JournalDatabase
  /** The pool of the reader. The journal's own pool is used for what happens meanwhile. */
  let pool: Pool
  const journey = createJourney({
    open: async options => harnessOn(database.pool, options),
    close: async () => undefined,
  })

  beforeEach(async () => {
    database = await createJournalDatabase()
    pool = createPool(database.url, { max: 1, onError: () => undefined })
    await journey.open(all)
  })
  afterEach(async () => {
    await pool.end()
    await database.drop()
  })

  /** Does `meanwhile` while `reading` waits, with a statement like `pattern`, for `table`. */
  const between = <T>(
    table: string,
    pattern: string,
    reading: () => Promise<T>,
    meanwhile: (pid: number) => Promise<unknown>,
  ): Promise<T> =>
    whileLocked(database.pool, `lock table ${table} in access exclusive mode`, async release => {
      const read = reading()
      // The caller gets the error. This listener only keeps it from counting as unhandled meanwhile.
      read.catch(() => undefined)
      const [pid = 0] = await sessionsWaiting(database.pool, pattern)
      await meanwhile(pid)
      await release()
      return read
    })
  const endSession = (pid: number): Promise<unknown> =>
    database.pool.query('select pg_terminate_backend($1)', [pid])

  it('is of one moment, for the summary of a list', async () => {
    let said = ''
    const report = () =>
      reportRun({
        pool,
        topic: 'requests',
        seconds: 1,
        dataDir: null,
        cost: { calls: 0, jobsSettled: 0, devicesSettled: 0, isResumed: false },
        say: text => {
          said += text
        },
      })
    const unfinished = await between('requeue', '%from requeue%', report, () =>
      firstValueFrom(
        journey.at.intake.append(
          chunkOf(0n, [{ requestId: 'r1', devices: ['dev1', 'dev2'] }], [{ code: 'empty_value' }]),
        ),
      ),
    )
    expect(unfinished).toBe(0)
    expect(said).toMatch(/^ {2}accepted +0$/m)
  })

  it('releases a session that is lost meanwhile, for the evidence of a job', async () => {
    await journey.append({ requestId: 'r1', devices: ['dev1'] })
    const { batchId } = await journey.claimJob()
    const evidence = between(
      'outcome',
      '%join outcome%',
      () => readJobEvidence(pool, String(batchId)),
      endSession,
    )
    await expect(evidence).rejects.toThrow()
    // The pool has one connection only, so this query would wait for ever for one that is not released.
    expect(await readJobEvidence(pool, String(batchId))).toMatchObject({ job: { batchId } })
  })

  it('is read again when the session is lost meanwhile, for whether a list has ended', async () => {
    await journey.append({ requestId: 'r1', devices: ['dev1'] })
    const job = await journey.claimJob()
    await firstValueFrom(journey.drive.creating(job.batchId))
    await firstValueFrom(journey.drive.unanswered(job.batchId, 'no answer'))
    await firstValueFrom(journey.drive.hold(job, 'nobody knows'))
    await journey.append({ requestId: 'r2', devices: ['dev2'] })
    const follow = () =>
      followList({
        fleet: { topic: 'requests', source: { health$: EMPTY } },
        service: { intakeDone: Promise.resolve(), status: () => ({ openJobs: null }) },
        pool,
        progress: { show: () => undefined, say: () => undefined, end: () => undefined },
        others: { lists: 0, ended: { moved: 0, failed: 0, rejected: 0, superseded: 0, duplicate: 0 } },
        aborted: () => false,
        failed: new Promise(() => undefined),
      })
    expect(await between('move', '%with stopped as%', follow, endSession)).toEqual({ kind: 'done' })
  })

  it('tells whether a topic is taken in up to its ends', async () => {
    const isIn = (...highs: bigint[]): Promise<boolean> =>
      isTakenIn(
        pool,
        'requests',
        highs.map((high, partition) => ({ partition, high })),
      )
    expect([await isIn(0n, 0n), await isIn(0n, 1n)]).toEqual([true, false])
    await journey.append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    await firstValueFrom(journey.at.intake.append(chunkOf(5n, [], [{ code: 'empty_value' }], 1)))
    expect([await isIn(1n, 6n, 0n), await isIn(2n, 6n), await isIn(1n, 7n), await isIn(1n, 6n, 1n)]).toEqual([
      ...[true, false, false, false],
    ])
    expect(await isTakenIn(pool, 'other', [{ partition: 0, high: 1n }])).toBe(false)
  })
})
