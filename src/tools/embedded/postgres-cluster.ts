/** The data directory of an embedded PostgreSQL. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, chown, lchown, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../domain/error-text'
import { type Identity, readOutputLines } from './child-server'
import { EmbeddedServerError, NoPlaceError } from './embedded-server-error'
import { createParentWatch } from './parent-watch'

export interface ClusterPlace {
  /** Absolute; the cluster lies in `postgres` below it. */
  readonly home: string
  readonly binaries: string
  readonly identity: Identity | undefined
  readonly durable: boolean
}

/** The environment of PostgreSQL. Ours is not passed on: it may hold secrets, and settings for other servers. */
export const serverEnvironment = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' }

/**
 * How a server that starts in its data directory names that directory. An unprivileged account may be unable to pass
 * through the directories above (`/root`), but it can use the directory it was started in.
 */
export const dataArgument = (dir: string, identity: Identity | undefined): string =>
  identity !== undefined && process.platform === 'linux' ? '/proc/self/cwd' : dir

const giveTo = async (path: string, identity: Identity | undefined): Promise<void> => {
  if (identity !== undefined) await chown(path, identity.uid, identity.gid)
}

/** Gives a whole directory to the server's account. Data that root copied or restored belongs to root. */
const giveTree = async (dir: string, identity: Identity): Promise<void> => {
  for (const entry of await readdir(dir, { recursive: true })) {
    await lchown(join(dir, entry), identity.uid, identity.gid)
  }
  await giveTo(dir, identity)
}

/** Runs initdb in `draft/data`. The password reaches it as an open file, so that no path has to be reachable. */
const runInitdb = async (draft: string, place: ClusterPlace): Promise<void> => {
  const { binaries, identity, durable } = place
  const data = join(draft, 'data')
  const password = await open(join(draft, 'password'), 'r')
  const watch = createParentWatch(draft)
  const passwordPath = process.platform === 'linux' ? '/proc/self/fd/3' : '/dev/fd/3'
  const options = [
    '--username=postgres',
    `--pwfile=${passwordPath}`,
    '--auth=scram-sha-256',
    '--no-instructions',
  ]
  const locale = ['--no-locale', '--encoding=UTF8', ...(durable ? [] : ['--no-sync'])]
  try {
    const child = spawn(
      join(binaries, 'initdb'),
      ['-D', dataArgument(data, identity), ...options, ...locale],
      {
        cwd: data,
        env: serverEnvironment,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe', password.fd],
        ...identity,
      },
    )
    if (child.pid !== undefined) watch.watch(-child.pid, 'SIGKILL')
    const output = readOutputLines([child.stdout, child.stderr], () => undefined)
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', code => {
        if (code === 0) resolve()
        else reject(new EmbeddedServerError(`initdb failed (${code}):\n${output.tail()}`))
      })
    })
  } finally {
    watch.done()
    await password.close()
  }
}

/** Makes the cluster and its password beside their place and renames them into it: a cluster is whole or absent. */
const makeCluster = async (dir: string, place: ClusterPlace): Promise<void> => {
  const draft = join(place.home, `new-${randomBytes(6).toString('hex')}`)
  const [data, password] = [join(draft, 'data'), join(draft, 'password')]
  await mkdir(data, { recursive: true })
  try {
    await chmod(data, 0o700)
    const file = await open(password, 'wx', 0o600)
    await file.writeFile(randomBytes(24).toString('hex'))
    await file.close()
    await giveTo(password, place.identity)
    await giveTo(data, place.identity)
    await runInitdb(draft, place)
    await rename(password, join(data, 'password'))
    await rename(data, dir).catch(async error => {
      // Another process has made one meanwhile, which serves as well.
      if (!(await exists(dir))) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    error => {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    },
  )

/**
 * Opens the cluster below `home`, making it first where there is none. Gives its superuser's password.
 * @throws EmbeddedServerError when it cannot be made or belongs to another user
 */
export const openCluster = async (dir: string, place: ClusterPlace): Promise<{ password: string }> => {
  try {
    if (!(await exists(dir))) await makeCluster(dir, place)
    if (place.identity !== undefined && (await stat(dir)).uid === 0) await giveTree(dir, place.identity)
    return { password: await readFile(join(dir, 'password'), 'utf8') }
  } catch (error) {
    if (error instanceof EmbeddedServerError) throw error
    throw new NoPlaceError(`PostgreSQL cannot keep its data in ${dir}: ${messageOf(error)}`)
  }
}
