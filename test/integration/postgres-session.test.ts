import { createPool } from '../../src/postgres/session/session'
import { createTestDatabase, type TestDatabase } from '../support/database'

describe('a database session of the service', () => {
  let database: TestDatabase

  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(() => database.drop())

  const settingsOf = async (url: string): Promise<unknown> => {
    const pool = createPool(url, { name: 'device-move/one', max: 1, onError: () => undefined })
    try {
      const { rows } = await pool.query(
        `select name, setting from pg_settings where name = any($1) order by name`,
        [
          [
            ...['application_name', 'idle_in_transaction_session_timeout', 'lock_timeout', 'search_path'],
            ...['statement_timeout', 'work_mem'],
          ],
        ],
      )
      return Object.fromEntries(rows.map(row => [row.name, row.setting]))
    } finally {
      await pool.end()
    }
  }
  // The next holder of the lease ends sessions by their name, and a frozen one's transactions end by themselves.
  const ours = {
    application_name: 'device-move/one',
    idle_in_transaction_session_timeout: '5000',
    lock_timeout: '10000',
    search_path: 'device_move_journal',
    statement_timeout: '30000',
  }

  it('a session has the settings of this service', async () => {
    expect(await settingsOf(database.url)).toMatchObject(ours)
  })

  it('has our settings whatever the URL says, and the other settings of the URL', async () => {
    const url = new URL(database.url)
    for (const [name, value] of Object.entries({
      application_name: 'theirs',
      options: '-c search_path=public -c work_mem=5MB',
      statement_timeout: '1',
      lock_timeout: '1',
      idle_in_transaction_session_timeout: '0',
      query_timeout: '1',
    }))
      url.searchParams.set(name, value)
    expect(await settingsOf(url.href)).toEqual({ ...ours, work_mem: '5120' })
  })
})
