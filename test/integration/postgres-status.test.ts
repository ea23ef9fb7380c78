import { readDatabaseStatus } from '../../src/postgres/read-status'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { harnessOn, type JournalUnderTest } from '../support/journal-harness'
import { all, createJourney } from '../support/journal-journey'
import { routeTo } from '../support/journal-requests'

describe('the status in the database', () => {
  let database: JournalDatabase
  beforeAll(async () => {
    database = await createJournalDatabase()
  })
  afterAll(() => database.drop())

  it('shows backlog, held jobs and routes, failures, what is unpublished, and who holds the lease', async () => {
    const journal: JournalUnderTest = {
      open: async options => harnessOn(database.pool, options),
      close: async () => undefined,
    }
    const journey = createJourney(journal)
    await journey.open(all)
    const failed = { outcome: 'failed', final: true, code: '9313', message: 'no' } as const
    await journey.append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    await journey.finish(await journey.claimJob(), failed)
    await journey.append({ requestId: 'r2', devices: ['dev3'] })
    const held = await journey.claimJob()
    await new Promise<void>((resolve, reject) => {
      journey.drive.hold(held, 'no file').subscribe({ error: reject, complete: resolve })
    })
    await journey.append({ requestId: 'r3', devices: ['dev4'], route: routeTo('iot-other') })
    await database.pool.query(
      `update lease set holder = 'host/1', expires_at = now() + interval '10 seconds'`,
    )
    const status = await readDatabaseStatus(database.pool)
    expect(status).toMatchObject({
      moves: { accepted: 4, failed: 2, held: 1, pending: 1, gap: 0 },
      lease: { holder: 'host/1', expiresInMs: expect.any(Number) },
      openJobs: { claimed: 1 },
      heldJobs: [{ batchId: held.jobId, status: 'claimed', moves: 1, heldReason: 'no file' }],
      failures: [{ code: '9313', outcomes: 2, final: 2 }],
      unpublished: 2,
      nextRetryAt: null,
    })
    expect(status.routes.map(({ targetInstanceIds, pending }) => [targetInstanceIds, pending])).toEqual([
      [['iot-other'], 1],
      // In a held job, and so in flight.
      [['iot-target'], 0],
    ])
  })
})
