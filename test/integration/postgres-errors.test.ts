import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { firstValueFrom } from 'rxjs'
import { TransientError } from '../../src/ports/errors'
import { createIntakeJournal } from '../../src/postgres/intake/intake-journal'
import { migrate } from '../../src/postgres/session/migrations'
import { createPool } from '../../src/postgres/session/session'
import { asPortError, inTransaction } from '../../src/postgres/session/transaction'
import { createTestDatabase, type TestDatabase } from '../support/database'

const password = 'open-sesame'

describe('an error of the database', () => {
  let database: TestDatabase
  let admin: Client
  let login: string

  const urlWith = (more: { readonly password?: string; readonly database?: string }): string => {
    const url = new URL(database.url)
    url.username = login
    url.password = more.password ?? password
    if (more.database !== undefined) url.pathname = `/${more.database}`
    return url.href
  }
  const failureOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => null,
      (error: unknown) => error,
    )
  const migrating = (url: string) => failureOf(migrate(url, { log: () => undefined }))
  const appending = async (url: string) => {
    const pool = createPool(url, { max: 1, onError: () => undefined })
    const failure = await failureOf(firstValueFrom(createIntakeJournal(pool).positions('c', 't', [0])))
    await pool.end()
    return failure
  }

  beforeAll(async () => {
    database = await createTestDatabase()
    admin = new Client(database.url)
    await admin.connect()
    login = `login_${randomBytes(6).toString('hex')}`
    await admin.query(`create role ${login} login password '${password}'`)
  })
  afterAll(async () => {
    await admin.query(`drop role ${login}`)
    await admin.end()
    await database.drop()
  })

  describe.each([
    ['a migration', migrating],
    ['the journal', appending],
  ])('tells %s', (_who, attempt) => {
    it('that the password is wrong, which waiting does not cure, and without the password', async () => {
      const failure = await attempt(urlWith({ password: 'not-sesame' }))
      expect(failure).not.toBeInstanceOf(TransientError)
      expect(String(failure)).toContain(`password authentication failed for user "${login}"`)
      expect(JSON.stringify(failure) + String(failure)).not.toContain('sesame')
    })

    it('that there is no such database, which waiting does not cure', async () => {
      const failure = await attempt(urlWith({ database: 'nowhere' }))
      expect(failure).not.toBeInstanceOf(TransientError)
      expect(String(failure)).toContain('database "nowhere" does not exist')
      expect(JSON.stringify(failure) + String(failure)).not.toContain('sesame')
    })

    it('that there are too many connections, which is tried again', async () => {
      const only = new Client(urlWith({}))
      await only.connect()
      // The limit is set only now, because a session of the test before may not have ended yet.
      await admin.query(`alter role ${login} connection limit 1`)
      try {
        const failure = await attempt(urlWith({}))
        expect(failure).toBeInstanceOf(TransientError)
        expect(String(failure)).toContain('too many connections')
      } finally {
        await admin.query(`alter role ${login} connection limit -1`)
        await only.end()
      }
    })

    it('that nothing answers, which is tried again, and without the password', async () => {
      const failure = await attempt('postgres://u:open-sesame@127.0.0.1:1/x')
      expect(failure).toBeInstanceOf(TransientError)
      expect(String(failure)).toContain('ECONNREFUSED')
      expect(String(failure)).not.toContain('sesame')
    })
  })

  it.each([
    ['a deadlock', '40P01', 4, 'done'],
    ['a failed serialisation', '40001', 4, 'done'],
    ['one deadlock after the other', '40P01', 9, 'TransientError'],
    ['what does not pass', '23514', 1, 'error'],
  ])(
    'is followed by the same transaction at once after %s, at most five times',
    async (_, code, times, expected) => {
      const pool = createPool(database.url, { max: 1, onError: () => undefined })
      let runs = 0
      const work = inTransaction(pool, async client => {
        runs += 1
        if (runs <= times)
          await client.query(`do $$ begin raise exception 'no' using errcode = '${code}'; end $$`)
        return 'done'
      })
      const end = await firstValueFrom(work).catch((error: Error) => error.name)
      await pool.end()
      expect([end, runs]).toEqual([expected, expected === 'error' ? 1 : 5])
    },
  )

  it.each([
    ['57P03', 'the database system is starting up'],
    ['57P01', 'terminating connection due to administrator command'],
    ['53300', 'sorry, too many clients already'],
    ['55P03', 'canceling statement due to lock timeout'],
    ['25006', 'cannot execute UPDATE in a read-only transaction'],
  ])('is waited for when it says %s', (code, text) => {
    expect(asPortError(Object.assign(new Error(text), { code }))).toBeInstanceOf(TransientError)
  })

  it.each([
    ['28P01', 'password authentication failed'],
    ['3D000', 'database does not exist'],
    ['42501', 'permission denied'],
    ['23514', 'violates check constraint'],
  ])('is reported to people when it says %s', (code, text) => {
    const error = Object.assign(new Error(text), { code })
    expect(asPortError(error)).toBe(error)
  })

  it('is transient when several addresses were tried in vain, although it then has a code and no text', () => {
    const tried = Object.assign(new AggregateError([new Error('no'), new Error('neither')]), {
      code: 'ECONNREFUSED',
    })
    expect(asPortError(tried)).toMatchObject({ name: 'TransientError', message: 'PostgreSQL: ECONNREFUSED' })
  })
})
