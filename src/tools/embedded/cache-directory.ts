/** Directories below which the programs of embedded servers are cached. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { codeOf, messageOf } from '../../domain/error-text'
import { EmbeddedServerError } from './embedded-server-error'

const uid = (): number => process.getuid?.() ?? 0

/** Where this user may cache files, best first. Root's must be reachable for the account that its servers run as. */
export const cacheDirectories = (): readonly string[] => [
  uid() === 0 ? '/var/cache/device-move' : join(homedir(), '.cache', 'device-move'),
  join(tmpdir(), `device-move-${uid()}`),
]

/** A directory that another user may have put there is not trusted. */
const isOurs = async (dir: string): Promise<boolean> => {
  const found = await Promise.all([stat(dirname(dir)), stat(dir)]).catch(() => [])
  return found.length === 2 && found.every(entry => entry.isDirectory() && entry.uid === uid())
}

const fillOne = async (dir: string, fill: (dir: string) => Promise<void>): Promise<void> => {
  if (await isOurs(dir)) return
  const draft = `${dir}.${randomBytes(6).toString('hex')}`
  // Root's servers run as another account, which must get there whatever the umask is.
  const isNew = (await mkdir(dirname(dir), { recursive: true })) !== undefined
  if (isNew) await chmod(dirname(dir), 0o755)
  try {
    await mkdir(draft)
    if (!(await isOurs(draft))) throw new Error('it belongs to another user')
    await chmod(draft, 0o755)
    await fill(draft)
    // If two processes fill it at once, the first rename wins. Both drafts are the same.
    await rename(draft, dir).catch(async error => {
      if (!(await isOurs(dir))) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/**
 * The first of `directories` that is filled or can be filled. `fill` works on a draft that is renamed when it is complete,
 * so other processes see all of it or nothing.
 * @throws EmbeddedServerError naming each directory and why it cannot be used
 */
export const fillCache = async (
  directories: readonly string[],
  fill: (dir: string) => Promise<void>,
): Promise<string> => {
  for (const dir of directories) if (await isOurs(dir)) return dir
  const problems: string[] = []
  for (const dir of directories) {
    try {
      await fillOne(dir, fill)
      return dir
    } catch (error) {
      if (error instanceof EmbeddedServerError) throw error
      problems.push(`${dir}: ${messageOf(error)}`)
    }
  }
  throw new EmbeddedServerError(`no directory to cache in:\n${problems.join('\n')}`)
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    found => found.isDirectory(),
    () => false,
  )

/**
 * Makes a directory and those above it. Node's recursive `mkdir` never ends where a directory that exists answers ENOENT
 * when something is made in it (/proc).
 */
export const makeDirectories = async (path: string): Promise<void> => {
  if (await isDirectory(path)) return
  const parent = dirname(path)
  if (!(await isDirectory(parent)) && parent !== path) await makeDirectories(parent)
  await mkdir(path).catch(async error => {
    // Another process may have made it meanwhile.
    if (codeOf(error) !== 'EEXIST' || !(await isDirectory(path))) throw error
  })
}
