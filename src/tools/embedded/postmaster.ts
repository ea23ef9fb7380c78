/** Finds and ends a server that still runs on a data directory. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { codeOf } from '../../domain/error-text'
import { EmbeddedServerError } from './embedded-server-error'

const run = promisify(execFile)
/** How long the watcher of a killed process has to stop its server, ms. */
const orphanGraceMs = 5_000
/** How long a server has to end after a signal, ms. */
const shutdownMs = 10_000
const pollMs = 50

interface Owner {
  readonly pid: number
  readonly startedAt: string
}

/** When a process started, which tells it from a later one with the same number; empty where the system does not say. */
const startOf = async (pid: number): Promise<string> => {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The program's name, in parentheses, may hold spaces. The 22nd field is the 20th after it.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

const commandLineOf = (pid: number): Promise<string> =>
  process.platform === 'linux'
    ? readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    : run('ps', ['-o', 'command=', '-p', String(pid)]).then(
        ({ stdout }) => stdout,
        () => '',
      )

const fingerprint = (dir: string): string => createHash('sha256').update(dir).digest('hex').slice(0, 12)

/** The server's `cluster_name`. On the command line it names the data that it serves and the process that started it. */
export const clusterName = async (dir: string): Promise<string> =>
  `device-move/${fingerprint(dir)}/${process.pid}/${await startOf(process.pid)}`

interface Postmaster {
  readonly pid: number
  readonly owner: Owner
}

const readPidFile = async (dir: string): Promise<number | null> => {
  const [line] = (await readFile(join(dir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return Number(line) > 0 ? Number(line) : null
}

/** The server that runs on `dir`, or null. The number in a stale pid file may belong to any other process now. */
const findPostmaster = async (dir: string): Promise<Postmaster | null> => {
  const pid = await readPidFile(dir)
  if (pid === null) return null
  const name = new RegExp(`device-move/${fingerprint(dir)}/(\\d+)/(\\d*)`).exec(await commandLineOf(pid))
  return name === null ? null : { pid, owner: { pid: Number(name[1]), startedAt: name[2] ?? '' } }
}

const ownerLives = async ({ pid, startedAt }: Owner): Promise<boolean> =>
  isAlive(pid) && (startedAt === '' || (await startOf(pid)) === startedAt)

const isGoneWithin = async (dir: string, withinMs: number): Promise<boolean> => {
  for (let left = withinMs; left > 0; left -= pollMs) {
    const found = await findPostmaster(dir)
    if (found === null) return true
    if (await ownerLives(found.owner)) throw inUse(dir, found.owner.pid)
    await pause(pollMs)
  }
  return false
}

/** The error of a second process on one data directory. */
export const inUse = (dir: string, pid?: number): EmbeddedServerError =>
  new EmbeddedServerError(
    `the data in ${dir} is in use by another process${pid === undefined ? '' : ` (${pid})`}: ` +
      'wait until that has ended, or choose another data directory',
  )

/**
 * Makes sure that no server runs on `dir` (a real path). A server whose starter was killed has 5 s to be stopped by its
 * watcher and is then stopped here. A pid file that names another program is removed.
 * @throws EmbeddedServerError when a living process uses it
 */
export const clearDataDirectory = async (dir: string): Promise<void> => {
  const gone =
    (await isGoneWithin(dir, orphanGraceMs)) ||
    (await signal(dir, 'SIGINT', shutdownMs)) ||
    (await signal(dir, 'SIGKILL', shutdownMs))
  if (!gone) throw inUse(dir)
  const stale = await readPidFile(dir)
  if (stale !== null && isAlive(stale)) await rm(join(dir, 'postmaster.pid'), { force: true })
}

const signal = async (dir: string, name: NodeJS.Signals, withinMs: number): Promise<boolean> => {
  const found = await findPostmaster(dir)
  if (found !== null && isAlive(found.pid)) process.kill(found.pid, name)
  return isGoneWithin(dir, withinMs)
}
