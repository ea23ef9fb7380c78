/** A real PostgreSQL that this process starts, for tests, `demo` and `move`. */
import { chmod, mkdtemp, readFile, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../domain/error-text'
import { makeDirectories } from './cache-directory'
import { type ChildServer, type Identity, startChildServer } from './child-server'
import { EmbeddedServerError, NoPlaceError } from './embedded-server-error'
import { withFreePorts } from './free-port'
import { createParentWatch } from './parent-watch'
import { postgresBinaries } from './postgres-binaries'
import { type ClusterPlace, dataArgument, openCluster, serverEnvironment } from './postgres-cluster'
import { clearDataDirectory, clusterName, inUse } from './postmaster'

const accounts = ['postgres', 'nobody', 'daemon']

/** An account that exists, because PostgreSQL looks its account up by number. */
const findAccount = async (): Promise<Identity> => {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map(line => line.split(':'))
  for (const account of accounts) {
    const fields = lines.find(([name]) => name === account)
    const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])]
    if (uid > 0) return { uid, gid }
  }
  throw new EmbeddedServerError(
    `PostgreSQL refuses to run as root, and none of the accounts ${accounts.join(', ')} exists: ` +
      'run this as an ordinary user, or set DATABASE_URL',
  )
}

/**
 * The account for PostgreSQL. An ordinary user needs none: it runs as that user. For root it is the account that owns the
 * data already, else an unprivileged one.
 */
const serverIdentity = async (dataDir: string): Promise<Identity | undefined> => {
  if (process.getuid?.() !== 0) return undefined
  const owner = await stat(dataDir).catch(() => null)
  return owner !== null && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : findAccount()
}

/** Longest start, ms. Crash recovery of a large journal takes a while. */
const readyWithinMs = 120_000

export interface EmbeddedPostgresOptions {
  /** Kept and used again. Left out: a temporary server, whose data is removed with it. */
  readonly dataDir?: string
  /** Directory with `initdb` and `postgres` of another release. Left out: the ones that come with the package. */
  readonly binaries?: string | undefined
  /** Gets the server's log, a line at a time. */
  readonly log?: (line: string) => void
}

export interface EmbeddedPostgres {
  /** Of the superuser and the database `postgres`; it holds the password. */
  readonly url: string
  /** Resolves after a fast shutdown, and once a temporary server's data is removed. */
  stop(): Promise<void>
}

/** Settings of a temporary server, whose data need not survive a crash. */
const volatile = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'wal_level=minimal',
  'max_wal_senders=0',
]

const assertSupported = () => {
  if (process.platform === 'win32') {
    throw new EmbeddedServerError('the embedded PostgreSQL runs on Linux and macOS only: set DATABASE_URL')
  }
}

const serve = async (
  dir: string,
  place: ClusterPlace,
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> => {
  const { password } = await openCluster(dir, place)
  await clearDataDirectory(dir)
  const name = await clusterName(dir)
  const watch = createParentWatch(place.durable ? undefined : place.home)
  const start = async (port: number): Promise<{ port: number; server: ChildServer }> => {
    const settings = [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      `cluster_name=${name}`,
      ...(place.durable ? [] : volatile),
    ]
    const server = await startChildServer({
      name: 'PostgreSQL',
      command: join(place.binaries, 'postgres'),
      args: [
        '-D',
        dataArgument(dir, place.identity),
        '-p',
        String(port),
        ...settings.flatMap(setting => ['-c', setting]),
      ],
      cwd: dir,
      env: serverEnvironment,
      identity: place.identity,
      readyLine: /database system is ready to accept connections/,
      readyWithinMs,
      stopSignal: 'SIGINT',
      watch,
      log: options.log,
    })
    return { port, server }
  }
  try {
    const { port, server } = await withFreePorts(1, ([first = 0]) => start(first))
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      stop: async () => {
        await server.stop()
        if (!place.durable) await rm(place.home, { recursive: true, force: true })
        watch.done()
      },
    }
  } catch (error) {
    watch.done()
    const taken = /lock file ".*" already exists|pre-existing shared memory block/
    if (taken.test(messageOf(error))) throw inUse(dir)
    throw error
  }
}

const makeHome = async (dataDir: string | undefined): Promise<string> => {
  try {
    if (dataDir === undefined) return await realpath(await mkdtemp(join(tmpdir(), 'device-move-postgres-')))
    await makeDirectories(dataDir)
    return await realpath(dataDir)
  } catch (error) {
    throw new NoPlaceError(`PostgreSQL has no place for its data: ${messageOf(error)}`)
  }
}

/**
 * Starts a real PostgreSQL on a free loopback port, as root too (the server then runs as an unprivileged account),
 * with a random password. It ends with this process, however that ends.
 * @throws EmbeddedServerError saying what to do; then nothing is left behind
 */
export const startEmbeddedPostgres = async (
  options: EmbeddedPostgresOptions = {},
): Promise<EmbeddedPostgres> => {
  assertSupported()
  const { dataDir } = options
  const durable = dataDir !== undefined
  const home = await makeHome(dataDir)
  try {
    const dir = join(home, 'postgres')
    const identity = await serverIdentity(dir)
    const binaries = options.binaries ?? (await postgresBinaries(identity))
    // Releases before 16 leave the directory they were started in, and have to find back. The data stay closed to others.
    if (options.binaries !== undefined) await chmod(home, 0o711)
    return await serve(dir, { home, binaries, identity, durable }, options)
  } catch (error) {
    if (!durable) await rm(home, { recursive: true, force: true })
    throw error
  }
}
