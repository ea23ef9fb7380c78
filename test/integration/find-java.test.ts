import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findJava } from '../../src/tools/embedded/kafka-jars'

describe('the search for Java', () => {
  let place: string

  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'java places '))
    // Debian keeps such files between the directories.
    await writeFile(join(place, '.java-1.17.0.jinfo'), '')
  })

  afterEach(() => rm(place, { recursive: true, force: true }))

  const install = async (version: string): Promise<string> => {
    const bin = join(place, `java-${version}`, 'bin')
    await mkdir(bin, { recursive: true })
    const lines = [`java.home = ${join(bin, '..')}`, `java.specification.version = ${version}`]
    const java = join(bin, 'java')
    await writeFile(java, `#!/bin/sh\nprintf '    %s\\n' ${lines.map(line => `'${line}'`).join(' ')} >&2\n`)
    await chmod(java, 0o755)
    return java
  }

  const find = (): Promise<string> => findJava(join(place, 'no-such-command'), [join(place, 'none'), place])

  it('finds a Java that is installed, new enough, and not on the path', async () => {
    await install('1.8')
    await install('11')
    const java = await install('21')
    expect(await find()).toBe(java)
  })

  it('says that the Java it has found is too old', async () => {
    await install('1.8')
    await install('11')
    await expect(find()).rejects.toThrow('Java 11 is too old (17 is needed)')
  })

  it('says that there is no Java', async () => {
    await expect(find()).rejects.toThrow('no Java found (17 or newer is needed)')
  })
})
