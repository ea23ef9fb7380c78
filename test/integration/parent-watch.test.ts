import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { transformFile } from '@swc/core'

/** A process that watches over a directory and a server. The server keeps our pipe open and ignores Ctrl-C. */
const parentScript = `
const { spawn } = require('node:child_process')
const { join } = require('node:path')
const { createParentWatch } = require('./parent-watch.cjs')
const [stubborn, finish] = process.argv.slice(2)
const trap = stubborn === 'stubborn' ? "trap '' INT;" : ''
const server = spawn('/bin/sh', ['-c', trap + 'echo started; while :; do sleep 1; done'], {
  detached: true,
  stdio: ['ignore', 'inherit', 'ignore'],
})
const watch = createParentWatch(join(__dirname, 'watched directory'))
watch.watch(server.pid, 'SIGINT')
server.unref()
console.log('watching')
if (finish === 'done') { server.kill('SIGKILL'); watch.free(); watch.done() }
if (finish === 'stay') setInterval(() => undefined, 60_000)
`

describe('what is left when a process that runs servers ends', () => {
  let place: string
  let watched: string

  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'parent watch '))
    watched = join(place, 'watched directory')
    await mkdir(join(watched, 'data'), { recursive: true })
    const { code } = await transformFile(join(__dirname, '../../src/tools/embedded/parent-watch.ts'), {
      swcrc: false,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    })
    await writeFile(join(place, 'parent-watch.cjs'), code)
    await writeFile(join(place, 'parent.cjs'), parentScript)
  })

  afterEach(() => rm(place, { recursive: true, force: true }))

  const start = (...args: string[]) => {
    const parent = spawn(process.execPath, ['parent.cjs', ...args], {
      cwd: place,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    // Unread output would keep the pipe from closing.
    parent.stdout.resume()
    return parent
  }

  /** The server may have spoken before the watcher knew of it. */
  const isWatching = async (parent: ChildProcess & { readonly stdout: NodeJS.ReadableStream }) => {
    let said = ''
    while (!said.includes('watching')) said += String(await once(parent.stdout, 'data'))
  }

  /** The pipe closes when the last process that holds it has gone: the server, not only its parent. */
  const serverGone = (parent: ChildProcess) => once(parent, 'close')

  const directoryGone = async () => {
    while (
      await access(watched).then(
        () => true,
        () => false,
      )
    )
      await pause(20)
  }

  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('is nothing after %s', async signal => {
    const parent = start('mild', 'stay')
    await isWatching(parent)
    const gone = serverGone(parent)
    parent.kill(signal)
    await gone
    await directoryGone()
  })

  it('is nothing after it ended in good order without stopping its server', async () => {
    const parent = start('mild', 'leave')
    await serverGone(parent)
    await directoryGone()
  })

  it('is nothing, either, of a server that does not stop when it is asked to', async () => {
    const parent = start('stubborn', 'leave')
    await serverGone(parent)
    await directoryGone()
  })

  it('is the directory, when the process has said that all is done', async () => {
    const parent = start('mild', 'done')
    await serverGone(parent)
    await expect(access(watched)).resolves.toBeUndefined()
  })
})
