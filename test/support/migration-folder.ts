/** Folders of migrations: those of this release, or the first of them, with some more. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const released = join(__dirname, '../../migrations')

export interface MigrationFolder {
  readonly path: string
  /** Adds a migration. */
  add(name: string, sql: string): void
  remove(): void
}

/** `first`: so many of this release's migrations; all of them by default. */
export const createMigrationFolder = (first = Number.POSITIVE_INFINITY): MigrationFolder => {
  const path = mkdtempSync(join(tmpdir(), 'migrations-'))
  const files = readdirSync(released).filter(file => file.endsWith('.sql'))
  for (const file of files.sort().slice(0, first)) copyFileSync(join(released, file), join(path, file))
  return {
    path,
    add: (name, sql) => writeFileSync(join(path, `${name}.sql`), sql),
    remove: () => rmSync(path, { recursive: true }),
  }
}
