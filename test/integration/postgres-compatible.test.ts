/**
 * What the release before reads and writes is there after each migration, by the catalogue of a real PostgreSQL. It holds
 * whatever the statements look like (test/unit/postgres/migration-rules.test.ts looks at these).
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readMigrations } from '../../src/postgres/session/migration-files'
import { migrate } from '../../src/postgres/session/migrations'
import { createTestDatabase, query, type TestDatabase } from '../support/database'
import { createMigrationFolder } from '../support/migration-folder'

const released = join(__dirname, '../../migrations')
const names = readdirSync(released)
  .filter(file => file.endsWith('.sql'))
  .sort()
/** Those before were made before there was a release that had to go on working. */
const firstChecked = '0012'

interface Column {
  readonly relation: string
  readonly column: string
  readonly type: string
  /** A row that does not name it is refused. */
  readonly isNeeded: boolean
}

const columnsOf = ({ url }: TestDatabase): Promise<Column[]> =>
  query<Column & Record<string, unknown>>(
    url,
    `select format('%s.%s', n.nspname, c.relname) as relation, a.attname as column,
            format_type(a.atttypid, a.atttypmod) as type,
            c.relkind = 'r' and a.attnotnull and not a.atthasdef and a.attidentity = '' as "isNeeded"
     from pg_attribute a
     join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'v')
     join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('device_move', 'device_move_journal')
     where a.attnum > 0 and not a.attisdropped`,
  )

const placeOf = ({ relation, column }: Column): string => `${relation}.${column}`

/** What of `before` is gone or changed, and what its rows lack now. */
const breaks = (before: readonly Column[], after: readonly Column[]): string[] => {
  const now = new Map(after.map(column => [placeOf(column), column]))
  const neededBefore = new Set(before.filter(({ isNeeded }) => isNeeded).map(placeOf))
  const tables = new Set(before.map(({ relation }) => relation))
  return [
    ...before.flatMap(column => {
      const then = now.get(placeOf(column))
      if (then === undefined) return [`${placeOf(column)} is gone`]
      return then.type === column.type ? [] : [`${placeOf(column)} was ${column.type} and is ${then.type}`]
    }),
    ...after
      .filter(({ isNeeded, relation }) => isNeeded && tables.has(relation))
      .filter(column => !neededBefore.has(placeOf(column)))
      .map(column => `${placeOf(column)} needs a value that the release before does not give`),
  ]
}

describe('after each migration', () => {
  let database: TestDatabase

  beforeEach(async () => {
    database = await createTestDatabase()
  })
  afterEach(() => database.drop())

  const migrateTo = async (count: number, extra?: string): Promise<void> => {
    const folder = createMigrationFolder(count)
    try {
      if (extra !== undefined) folder.add('9000_extra', extra)
      await migrate(database.url, { log: () => undefined, directory: folder.path })
    } finally {
      folder.remove()
    }
  }

  it('tables and views have what they had, and rows of before are still taken', async () => {
    const migrations = await readMigrations(released)
    const first = names.findIndex(name => name >= firstChecked)
    await migrateTo(first)
    let before = await columnsOf(database)
    for (let count = first + 1; count <= names.length; count += 1) {
      await migrateTo(count)
      const after = await columnsOf(database)
      // What says that earlier releases cannot work on it may take away what these used.
      const mayBreak = migrations[count - 1]?.requires !== null
      expect([names[count - 1], mayBreak ? [] : breaks(before, after)]).toEqual([names[count - 1], []])
      before = after
    }
  })

  it.each([
    [
      'alter table device_move_journal.job drop column refusals cascade',
      'device_move_journal.job.refusals is gone',
    ],
    [
      `do $$ begin execute 'alter table device_move_journal.look_up rename column answers to told'; end $$`,
      'device_move_journal.look_up.answers is gone',
    ],
    [
      'alter table device_move_journal.result_file alter column content_type type varchar',
      'device_move_journal.result_file.content_type was text and is character varying',
    ],
    [
      'alter table device_move_journal.look_up add column more text not null',
      'device_move_journal.look_up.more needs a value that the release before does not give',
    ],
    [
      'alter table device_move_journal.job alter column releases drop default',
      'device_move_journal.job.releases needs a value that the release before does not give',
    ],
    ['drop view device_move.jobs', 'device_move.jobs.job_id is gone'],
  ])('%s would be found', async (sql, problem) => {
    await migrateTo(9)
    const before = await columnsOf(database)
    await migrateTo(9, sql)
    expect(breaks(before, await columnsOf(database))).toContain(problem)
  })
})
