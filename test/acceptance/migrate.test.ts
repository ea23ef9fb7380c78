import { startCli } from '../support/cli-process'
import { createTestDatabase, type TestDatabase } from '../support/database'

describe('device-move migrate', () => {
  let database: TestDatabase

  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(() => database.drop())

  const changed = (change: (url: URL) => void): string => {
    const url = new URL(database.url)
    change(url)
    return url.href
  }

  it.each<[string, number, RegExp, (url: URL) => void]>([
    [
      'a wrong password',
      1,
      /password authentication failed.*Check the user and the password in DATABASE_URL/,
      url => {
        url.password = 'sesame'
      },
    ],
    [
      'no password',
      1,
      /Give a password in DATABASE_URL/,
      url => {
        url.password = ''
      },
    ],
    [
      'a database that is not there',
      1,
      /"nowhere" does not exist.*Create the database first/,
      url => {
        url.pathname = '/nowhere'
      },
    ],
    [
      'a server that is not there',
      1,
      /ECONNREFUSED.*Check that PostgreSQL runs there/,
      url => {
        url.port = '1'
        url.password = 'sesame'
      },
    ],
    [
      'a certificate that is not there',
      2,
      /no such file.*Correct the file/,
      url => url.searchParams.set('sslrootcert', '/nowhere'),
    ],
    [
      'another kind of URL',
      2,
      /DATABASE_URL must be a URL that starts with postgres/,
      url => {
        url.protocol = 'mysql:'
      },
    ],
  ])('says in one sentence what to do about %s', async (_, status, text, change) => {
    const cli = startCli(['migrate'], { DATABASE_URL: changed(change), NODE_NO_WARNINGS: '1' })
    expect(await cli.ended).toBe(status)
    const said = cli.stderr.join('\n')
    expect(said).toMatch(text)
    expect(said).not.toMatch(/^ {4}at |sesame/m)
    expect(cli.stderr.length).toBeLessThanOrEqual(2)
    expect(cli.stdout).toEqual([])
  })

  it('ends with 0, also when there is nothing to do', async () => {
    const first = startCli(['migrate'], { DATABASE_URL: database.url })
    expect(await first.ended).toBe(0)
    expect(first.stdout[0]).toContain('Applied: 0001_journal')
    const second = startCli(['migrate'], { DATABASE_URL: database.url })
    expect(await second.ended).toBe(0)
    expect(second.stdout).toEqual(['The schema is up to date.'])
  })
})
