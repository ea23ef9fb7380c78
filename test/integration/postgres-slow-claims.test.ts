/** Claims and releases that would take longer than a statement may. */
import { firstValueFrom } from 'rxjs'
import { TransientError } from '../../src/ports/errors'
import { createDriveJournal } from '../../src/postgres/job/drive-journal'
import { createPool, type Pool } from '../../src/postgres/session/session'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { emptyJournal, harnessOn } from '../support/journal-harness'
import { all, createJourney, names } from '../support/journal-journey'
import { whileLocked } from '../support/journal-locks'
import { routeTo } from '../support/journal-requests'
import { until } from '../support/until'

let database: JournalDatabase
const journey = createJourney({
  open: async options => {
    await emptyJournal(database.pool)
    return harnessOn(database.pool, options)
  },
  close: async () => undefined,
})
const { append, claim, claimJob, start, end, finish } = journey

beforeAll(async () => {
  database = await createJournalDatabase()
})
beforeEach(() => journey.open(all))
afterAll(() => database.drop())

const count = async (sql: string): Promise<number> =>
  (await database.pool.query<{ n: number }>(`select count(*)::integer as n from ${sql}`)).rows[0]?.n ?? 0

describe('a route whose claim meets the time limit of a statement', () => {
  let hasty: Pool

  beforeEach(() => {
    hasty = createPool(database.url, { max: 2, statementMs: 200, onError: () => undefined })
  })
  afterEach(async () => {
    await hasty.end()
    await journey.check()
  })

  it('rests while others are claimed, and is then claimed in a smaller range', async () => {
    const drive = createDriveJournal(hasty, 1n, all)
    const devices = ['dev1', 'dev2', 'dev3', 'dev4']
    await append({ requestId: 'r1', route: routeTo('iot-1'), devices })
    await append({ requestId: 'r2', route: routeTo('iot-2'), devices: ['other'] })
    await whileLocked(database.pool, 'select from route_claims where route_id = 1 for update', async () => {
      const failed: unknown = await firstValueFrom(drive.claim([])).catch((error: unknown) => error)
      expect(failed).toBeInstanceOf(TransientError)
      expect(String(failed)).toMatch(
        /claiming 4 moves of route 1 took too long \(canceling statement due to statement timeout\)\. Others go on; in \d s at most 2 are claimed/,
      )
      const other = await firstValueFrom(drive.claim([]))
      if (other.kind !== 'job') throw new Error('the other route is not claimed')
      expect(names(other.job)).toEqual(['other'])
      await finish(other.job)
      expect(await firstValueFrom(drive.claim([]))).toMatchObject({ kind: 'idle' })
    })
    const claimed: string[] = []
    await until(async () => {
      const next = await firstValueFrom(drive.claim([]))
      if (next.kind === 'job') {
        expect(names(next.job).length).toBeLessThanOrEqual(2)
        claimed.push(...names(next.job))
        await finish(next.job)
      }
      return claimed.length === devices.length
    })
    expect(claimed).toEqual(devices)
  })
})

describe('moves that wait for one that has ended', () => {
  // The waiting moves have no place in a log yet, so only the counters are compared.
  afterEach(async () => {
    expect((await journey.at.conservation()).gap).toBe(0)
  })

  /** Requests of the same device, all of which wait for the first. */
  const waiting = `
    insert into requeue (route_id, attempt, source_id, source_offset, accepted, requested_at, device_name, request_id,
                         recorded_at, waits_for)
    select m.route_id, 1, m.source_id, 1000 + n, 1000000 + n, now(), m.device_name || '-' || n, 'again-' || n, now(), m.accepted
    from move m, generate_series(1, $1::integer) as n where m.seq = 1`

  const ended = async (waiters: number) => {
    await append({ requestId: 'r1', devices: ['dev1'] })
    const job = await claimJob()
    await start(job)
    await database.pool.query(waiting, [waiters])
    await database.pool.query('update route_intake set accepted = accepted + $1', [waiters])
    await end(job)
    return job
  }

  const stillWaiting = () => count('requeue where waits_for is not null')

  it('are released by its settlement, 20,000 of them, and the rest by the claims that follow, by whichever driver', async () => {
    await ended(45_000)
    expect(await stillWaiting()).toBe(25_000)
    expect(await count('release_due')).toBe(1)
    // The process may have ended here: another driver goes on.
    const another = createDriveJournal(database.pool, 1n, all)
    const claimed = await firstValueFrom(another.claim([]))
    if (claimed.kind !== 'job') throw new Error('what was released is not claimed')
    expect(await stillWaiting()).toBe(5_000)
    // Nothing is ready now, and the claim says that there is more to release.
    const inHand = [claimed.job.batchId]
    expect(await claim(inHand)).toMatchObject({ kind: 'idle' })
    expect(await stillWaiting()).toBe(0)
    expect(await count('release_due')).toBe(0)
    await finish(claimed.job)
  })

  it('are released at once when they are fewer, and nothing is noted', async () => {
    await ended(300)
    expect(await stillWaiting()).toBe(0)
    expect(await count('release_due')).toBe(0)
    await finish(await claimJob())
  })

  it('are released in the order of their acceptance', async () => {
    await ended(20_010)
    const { rows } = await database.pool.query<{ first: string }>(
      'select min(accepted)::text as first from requeue where waits_for is not null',
    )
    expect(rows).toEqual([{ first: '1020001' }])
  })
})
