/**
 * A job ends for which a million moves wait: its 10,000 devices have 100 more requests each. Measured is how long the
 * transactions take in which they are released, since no other claim or settlement goes on meanwhile.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstValueFrom, lastValueFrom } from 'rxjs'
import { createIntakeJournal } from '../src/postgres/intake/intake-journal'
import { createDriveJournal } from '../src/postgres/job/drive-journal'
import { migrate } from '../src/postgres/session/migrations'
import { createPool, type Pool } from '../src/postgres/session/session'
import { startEmbeddedPostgres } from '../src/tools/embedded/postgres'
import { verdicts } from '../test/support/journal-journey'
import { chunkOf } from '../test/support/journal-requests'
import { print } from './figures'
import { deviceNames } from './stage'

const devices = 10_000
const waiters = Number(process.env.BENCH_WAITERS ?? 1_000_000)
/** The longest that one transaction may take, ms. A statement may take 30 s, and a settlement waits 10 s for a claim. */
const mostMs = 5_000

// Each request waits for the move of its device; `$1` is how many there are of each.
const insertWaiting = `
  insert into requeue (route_id, attempt, source_id, source_offset, accepted, requested_at, device_name, request_id,
                       recorded_at, waits_for)
  select m.route_id, 1, m.source_id, 10 + n, 10000000 + m.seq * 1000000 + n, now(), m.device_name, 'again-' || n, now(), m.accepted
  from move m, generate_series(1, $1::integer) as n`

const timed = async <T>(work: () => Promise<T>): Promise<readonly [number, T]> => {
  const since = performance.now()
  const result = await work()
  return [performance.now() - since, result]
}

const measure = async (pool: Pool): Promise<boolean> => {
  await pool.query('update lease set epoch = 1')
  const drive = createDriveJournal(pool, 1n, { batchMaxDevices: 10_000, batchMaxWaitMs: 0 })
  const request = { requestId: 'first', devices: deviceNames(0, devices) }
  await firstValueFrom(createIntakeJournal(pool).append(chunkOf(0n, [request])))
  const first = await firstValueFrom(drive.claim([]))
  if (first.kind !== 'job') throw new Error('nothing was claimed')
  const { job } = first
  await firstValueFrom(drive.creating(job.batchId))
  await firstValueFrom(drive.created(job.batchId, 'P'))
  await firstValueFrom(drive.markEnded(job, 'completed'))
  await pool.query('set statement_timeout = 0')
  await pool.query(insertWaiting, [waiters / devices])
  await pool.query('analyze')
  const [settleMs] = await timed(() =>
    lastValueFrom(drive.settle(job.batchId, verdicts(job), 'completed'), { defaultValue: undefined }),
  )
  const inHand: number[] = []
  const claims: number[] = []
  for (;;) {
    const { rowCount } = await pool.query('select from requeue where waits_for is not null limit 1')
    if (rowCount === 0) break
    const [ms, claimed] = await timed(() => firstValueFrom(drive.claim(inHand)))
    claims.push(ms)
    if (claimed.kind === 'job') inHand.push(claimed.job.batchId)
  }
  const { rows } = await pool.query<{ n: number }>('select count(*)::integer as n from release_due')
  const longest = Math.max(settleMs, ...claims)
  print([
    [`moves that wait, for ${devices} devices`, waiters],
    ['the settlement, ms', Math.round(settleMs)],
    ['claims that released the rest', claims.length],
    ['the longest transaction, ms', Math.round(longest), `at most ${mostMs}`],
    ['all of them, s', ((settleMs + claims.reduce((a, b) => a + b, 0)) / 1_000).toFixed(1)],
    ['left to be released', rows[0]?.n ?? -1, '0'],
  ])
  return longest <= mostMs && rows[0]?.n === 0
}

/** On a database of its own. */
export const release = async (): Promise<boolean> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'device-move-release-'))
  const server = await startEmbeddedPostgres({ dataDir })
  const pool = createPool(server.url, {
    // The settings that a step makes for itself hold for the next.
    max: 1,
    onError: error => {
      throw error
    },
  })
  try {
    await migrate(server.url, { log: console.log })
    return await measure(pool)
  } finally {
    await pool.end()
    await server.stop()
    await rm(dataDir, { recursive: true })
  }
}
