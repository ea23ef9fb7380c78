import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDirectories, fillCache } from './cache-directory'
import { codeOf, EmbeddedServerError, outputOf, reasonOf } from './embedded-server-error'

const run = promisify(execFile)
const packageRoot = join(__dirname, '..', '..')
/** Holds the pinned pom and the broker's log settings. */
export const kafkaSettings = join(packageRoot, 'embedded-kafka')
const resolveWithinMs = 300_000

/** The version the pom pins. */
export const kafkaVersion = async (): Promise<string> => {
  const pom = await readFile(join(kafkaSettings, 'pom.xml'), 'utf8')
  const [, version] = /<kafka\.version>([\w.-]+)</.exec(pom) ?? []
  if (version === undefined) throw new EmbeddedServerError('embedded-kafka/pom.xml names no kafka.version')
  return version
}

const lastErrors = (error: unknown): string => {
  const lines = outputOf(error)
    .split('\n')
    .filter(line => line.startsWith('[ERROR]') && line.length > 10)
  return lines.slice(0, 3).join('\n') || reasonOf(error)
}

const resolveJars = async (dir: string): Promise<void> => {
  // Maven reads a pom beside which it may write.
  await copyFile(join(kafkaSettings, 'pom.xml'), join(dir, 'pom.xml'))
  const libs = join(dir, 'libs')
  await mkdir(libs)
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${libs}`, '-DincludeScope=runtime']
  const options = ['--batch-mode', '--no-transfer-progress']
  try {
    await run('mvn', [...options, ...goal], {
      cwd: dir,
      timeout: resolveWithinMs,
      maxBuffer: 64 * 1024 * 1024,
    })
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT'
    throw new EmbeddedServerError(
      missing
        ? 'no Maven found (mvn) to fetch the broker with'
        : `Maven could not fetch the broker: ${lastErrors(error)}`,
    )
  }
  const jars = await readdir(libs)
  if (!jars.some(jar => jar.startsWith('kafka_'))) throw new EmbeddedServerError('Maven fetched no broker')
}

/**
 * The directory with the broker's jars: cached in the package, or where that is read-only with the user; fetched
 * with Maven the first time.
 * @throws EmbeddedServerError when Maven is missing or cannot fetch
 */
export const kafkaJars = async (): Promise<string> => {
  const name = `kafka-${await kafkaVersion()}`
  const directories = [join(packageRoot, '.cache'), ...cacheDirectories()].map(dir => join(dir, name))
  return join(await fillCache(directories, resolveJars), 'libs')
}
