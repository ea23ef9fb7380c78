/** Where the package lies, and its version. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Folder of the package. `dist` and `src` lie directly in it. */
export const packageRoot = join(__dirname, '../..')

export const packageVersion = (): string => {
  const parsed: unknown = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'))
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed
    ? String(parsed.version)
    : 'unknown'
}
