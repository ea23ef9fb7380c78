import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDirectories, fillCache } from './cache-directory'
import { codeOf, EmbeddedServerError, outputOf, reasonOf } from './embedded-server-error'

const run = promisify(execFile)
const packageRoot = join(__dirname, '..', '..', '..')
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

const runTool = promisify(execFile)
const oldest = 17
/** Where systems keep the Javas that are not on the path. */
const homes = ['/usr/lib/jvm', '/Library/Java/JavaVirtualMachines', '/opt/java']

interface Java {
  readonly major: number
  /** Absolute: the broker does not get our PATH. */
  readonly path: string
}

const answerOf = async (command: string): Promise<string> => {
  try {
    const options = ['-XX:-UsePerfData', '-XshowSettings:properties', '-version']
    return (await runTool(command, options, { timeout: 10_000 })).stderr
  } catch {
    // Also thrown before there is a promise, where a file stands in for a directory of the path.
    return ''
  }
}

const look = async (command: string): Promise<Java | null> => {
  const answer = await answerOf(command)
  const property = (name: string) => new RegExp(`^\\s*${name} = (.*)$`, 'm').exec(answer)?.[1]?.trim()
  const [home, version] = [property('java\\.home'), property('java\\.specification\\.version')]
  if (home === undefined || version === undefined) return null
  // Before Java 9 the version is 1.8.
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
 * The path of a Java runtime new enough for Kafka 4: `command`, else one that lies in a directory of `places`.
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
