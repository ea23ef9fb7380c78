import { firstValueFrom } from 'rxjs'
import { createIntakeJournal } from '../../src/postgres/intake/intake-journal'
import { createSeenMarks } from '../../src/postgres/session/seen-marks'
import { createPool, type Pool } from '../../src/postgres/session/session'
import { createSoundness, type SoundnessPart } from '../../src/postgres/session/soundness'
import { noteCommits } from '../../src/postgres/session/transaction'
import { copyDatabase, createMigratedDatabase, replaceDatabase, type TestDatabase } from '../support/database'
import { chunkOf } from '../support/journal-requests'

const quiet = { onError: () => undefined }

describe('connections to a database that has lost commits', () => {
  const databases: TestDatabase[] = []
  const ends: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
    for (const database of databases.splice(0)) await database.drop()
  })

  const opened = (
    url: string,
  ): { pool: Pool; soundness: SoundnessPart; journal: ReturnType<typeof createIntakeJournal> } => {
    const seen = createSeenMarks()
    const soundness = createSoundness(url, seen, quiet)
    const pool = createPool(url, { max: 2, ...quiet, meet: soundness.meet })
    noteCommits(pool, seen)
    ends.push(
      () => pool.end(),
      () => soundness.end(),
    )
    return { pool, soundness, journal: createIntakeJournal(pool, seen) }
  }

  it('are refused to the process that has seen more, and the stop that it stores is one for every process', async () => {
    const live = await createMigratedDatabase()
    const copy = await copyDatabase(live)
    databases.push(live, copy)
    const { pool, soundness, journal } = opened(live.url)
    await firstValueFrom(journal.append(chunkOf(0n, [{ requestId: 'r1', devices: ['dev1'] }])))
    const met: string[] = []
    soundness.met$.subscribe(reason => met.push(reason))
    await replaceDatabase(live, copy)
    // The first connection may be one of before that has just been ended.
    await expect(
      (async () => {
        for (;;)
          await pool.query('select 1').catch((error: Error) => {
            if (error.name === 'RestoredDatabaseError') throw error
          })
      })(),
    ).rejects.toThrow('accept-restore')
    expect(met[0]).toContain('has lost commits')
    const look = () => firstValueFrom(soundness.look()).catch(() => firstValueFrom(soundness.look()))
    expect(await look()).toContain('has lost commits')
    await firstValueFrom(soundness.stop('it was restored'), { defaultValue: null })
    const other = opened(live.url)
    expect(await firstValueFrom(other.soundness.look())).toBe('it was restored')
    await expect(other.pool.query('select 1')).rejects.toThrow('it was restored')
  })
})

describe('the sessions of the journal', () => {
  it.each([
    ['off', 'on'],
    ['local', 'on'],
    ['remote_write', 'on'],
    ['on', 'on'],
    ['remote_apply', 'remote_apply'],
  ])('have synchronous_commit of %s as %s', async (given, kept) => {
    const database = await createMigratedDatabase()
    const url = new URL(database.url)
    url.searchParams.set('options', `-c synchronous_commit=${given}`)
    const pool = createPool(url.href, { max: 1, ...quiet })
    const { rows } = await pool.query<{ synchronous_commit: string }>('show synchronous_commit')
    expect(rows[0]?.synchronous_commit).toBe(kept)
    await pool.end()
    await database.drop()
  })
})
