import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const made: string[] = []

/** Writes a file into a new directory of its own and gives its path. */
export const temporaryFile = (name: string, content: string | Uint8Array): string => {
  const directory = mkdtempSync(join(tmpdir(), 'fleet-file-'))
  made.push(directory)
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

/** Removes every file made so far; for `afterAll`. */
export const removeTemporaryFiles = (): void => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true })
}
