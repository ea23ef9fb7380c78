/** What a broker on this machine's Java needs: its jars, and a Java that is new enough. */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { codeOf, messageOf } from '../../domain/error-text'
import { cacheDirectories, fillCache } from './cache-directory'
import { EmbeddedServerError } from './embedded-server-error'

const run = promisify(execFile)

const packageRoot = join(__dirname, '..', '..', '..')
/** The directory with the pinned pom and the broker's log settings. */
export const kafkaSettings = join(packageRoot, 'embedded-kafka')
/** Longest time for Maven to fetch the jars, ms. */
const resolveWithinMs = 300_000

/** The version of Kafka that the pom pins. */
export const kafkaVersion = async (): Promise<string> => {
  const pom = await readFile(join(kafkaSettings, 'pom.xml'), 'utf8')
  const [, version] = /<kafka\.version>([\w.-]+)</.exec(pom) ?? []
  if (version === undefined) throw new EmbeddedServerError('embedded-kafka/pom.xml names no kafka.version')
  return version
}

/** What a command that failed wrote to its standard output. */
const outputOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'stdout' in error ? String(error.stdout) : ''

const lastErrors = (error: unknown): string => {
  const lines = outputOf(error)
    .split('\n')
    .filter(line => line.startsWith('[ERROR]') && line.length > 10)
  return lines.slice(0, 3).join('\n') || messageOf(error)
}

const resolveJars = async (dir: string): Promise<void> => {
  // Maven reads a copy of the pom, beside which it may write.
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
 * The directory with the broker's jars. They are fetched with Maven once and cached in the package, or in a directory of
 * the user where the package is read-only.
 * @throws EmbeddedServerError when Maven is missing or cannot fetch
 */
export const kafkaJars = async (): Promise<string> => {
  const name = `kafka-${await kafkaVersion()}`
  const directories = [join(packageRoot, '.cache'), ...cacheDirectories()].map(dir => join(dir, name))
  return join(await fillCache(directories, resolveJars), 'libs')
}

/** The oldest Java that Kafka 4 runs on. */
const oldest = 17
/** Directories where systems keep Java runtimes that are not on the path. */
const homes = ['/usr/lib/jvm', '/Library/Java/JavaVirtualMachines', '/opt/java']

interface Java {
  readonly major: number
  /** Absolute, because the broker does not get our PATH. */
  readonly path: string
}

const answerOf = async (command: string): Promise<string> => {
  try {
    const options = ['-XX:-UsePerfData', '-XshowSettings:properties', '-version']
    return (await run(command, options, { timeout: 10_000 })).stderr
  } catch {
    // `execFile` throws at once where a file stands in place of a directory of the path, so a `.catch` would miss it.
    return ''
  }
}

const look = async (command: string): Promise<Java | null> => {
  const answer = await answerOf(command)
  const property = (name: string) => new RegExp(`^\\s*${name} = (.*)$`, 'm').exec(answer)?.[1]?.trim()
  const [home, version] = [property('java\\.home'), property('java\\.specification\\.version')]
  if (home === undefined || version === undefined) return null
  // Java 8 calls its version 1.8, which becomes 1.
  return { major: Number.parseInt(version, 10), path: join(home, 'bin', 'java') }
}

const installed = async (places: readonly string[]): Promise<readonly string[]> => {
  const found = await Promise.all(
    places.map(async home => {
      const names = await readdir(home).catch(() => [])
      return names.sort().map(name => join(home, name))
    }),
  )
  return found
    .flat()
    .flatMap(home => [join(home, 'bin', 'java'), join(home, 'Contents', 'Home', 'bin', 'java')])
}

/**
 * The path of a Java runtime that is new enough for Kafka 4: `command`, else one in a directory of `places`.
 * @throws EmbeddedServerError when there is none
 */
export const findJava = async (command = 'java', places: readonly string[] = homes): Promise<string> => {
  let newestSeen = 0
  for (const candidate of [command, ...(await installed(places))]) {
    const java = await look(candidate)
    if (java !== null && java.major >= oldest) return java.path
    newestSeen = Math.max(newestSeen, java?.major ?? 0)
  }
  throw new EmbeddedServerError(
    newestSeen === 0
      ? `no Java found (${oldest} or newer is needed)`
      : `Java ${newestSeen} is too old (${oldest} is needed)`,
  )
}
