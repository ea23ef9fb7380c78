import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { EmbeddedServerError } from './embedded-server-error'

const run = promisify(execFile)
const oldest = 17
/** Where systems keep the Javas that are not on the path. */
const homes = ['/usr/lib/jvm', '/Library/Java/JavaVirtualMachines', '/opt/java']

const majorOf = async (java: string): Promise<number | null> => {
  const answer = await run(java, ['-version'], { timeout: 10_000 }).catch(() => null)
  // On stderr; before Java 9 the first number is 1.
  const version = /version "(\d+)/.exec(answer?.stderr ?? '')
  return version === null ? null : Number(version[1])
}

const installed = async (): Promise<readonly string[]> => {
  const found = await Promise.all(
    homes.map(async home => {
      const names = await readdir(home).catch(() => [])
      return names.sort().map(name => join(home, name))
    }),
  )
  return found
    .flat()
    .flatMap(home => [join(home, 'bin', 'java'), join(home, 'Contents', 'Home', 'bin', 'java')])
}

/**
 * The path of a Java runtime new enough for Kafka 4.
 * @throws EmbeddedServerError when there is none
 */
export const findJava = async (): Promise<string> => {
  let newestSeen = 0
  for (const candidate of ['java', ...(await installed())]) {
    const major = (await majorOf(candidate)) ?? 0
    if (major >= oldest) return candidate
    newestSeen = Math.max(newestSeen, major)
  }
  throw new EmbeddedServerError(
    newestSeen === 0
      ? `no Java found (${oldest} or newer is needed)`
      : `Java ${newestSeen} is too old (${oldest} is needed)`,
  )
}
