/**
 * The migrations of this release: SQL files, applied once each, in the order of their names. Comment lines at the start of
 * a file say how it is applied.
 *
 *   (nothing)                        in one transaction
 *   -- Outside a transaction         one statement by itself: `create index concurrently if not exists …`
 *   -- In steps                      one statement that is run again and again, each time in a transaction of its own.
 *                                    It takes the position that was reached as $1 (text; null at first) and gives one
 *                                    row with the new one as `position`; null says that all is done. The position is
 *                                    stored in the same transaction, so an interrupted rewrite goes on where it was.
 *   -- Requires: NAME                a release that does not know the migration NAME cannot work on this schema. Without
 *                                    it every earlier release can.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Migration {
  readonly name: string
  readonly sql: string
  readonly form: 'transaction' | 'outside' | 'steps'
  /** Name of the migration that a release has to know to work on this schema; null: any earlier release can. */
  readonly requires: string | null
}

/** The comment lines before the first statement. */
const headOf = (sql: string): string => /^(\s*(--[^\n]*)?\n)*/.exec(sql)?.[0] ?? ''

const formOf = (head: string): Migration['form'] => {
  if (/^-- Outside a transaction$/m.test(head)) return 'outside'
  return /^-- In steps$/m.test(head) ? 'steps' : 'transaction'
}

export const readMigration = (name: string, sql: string): Migration => {
  const head = headOf(sql)
  return { name, sql, form: formOf(head), requires: /^-- Requires: (\S+)$/m.exec(head)?.[1] ?? null }
}

/** The migrations in `directory`, in the order in which they are applied. */
export const readMigrations = async (directory: string): Promise<readonly Migration[]> => {
  const files = (await readdir(directory)).filter(file => file.endsWith('.sql')).sort()
  return Promise.all(
    files.map(async file =>
      readMigration(file.replace(/\.sql$/, ''), await readFile(join(directory, file), 'utf8')),
    ),
  )
}
