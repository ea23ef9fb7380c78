import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { EmbeddedServerError } from './embedded-server-error'

const run = promisify(execFile)
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
    return (await run(command, options, { timeout: 10_000 })).stderr
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
