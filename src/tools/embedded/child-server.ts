/** A server as a child process: started until it is ready, and stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { EmbeddedServerError } from './embedded-server-error'
import type { ParentWatch } from './parent-watch'

/** Lines of output that are kept for the text of an error. */
const keptLines = 30

export interface OutputLines {
  /** The last lines written, for the text of an error. */
  tail(): string
}

/** Splits a child's output into lines, hands each to `onLine` and keeps the last ones. */
export const readOutputLines = (
  streams: readonly (Readable | null)[],
  onLine: (line: string) => void,
): OutputLines => {
  const kept: string[] = []
  for (const stream of streams) {
    let rest = ''
    stream?.setEncoding('utf8')
    stream?.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        kept.push(line)
        if (kept.length > keptLines) kept.shift()
        onLine(line)
      }
    })
  }
  return { tail: () => kept.join('\n') }
}

/** A child that was told to stop is killed after this time, ms. */
const killAfterMs = 10_000

/** The account that a child runs as; without one it runs as ours. */
export interface Identity {
  readonly uid: number
  readonly gid: number
}

export interface ChildServerOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  /** The child's whole environment, because ours may hold secrets. Left out: ours. */
  readonly env?: NodeJS.ProcessEnv
  readonly identity?: Identity | undefined
  readonly readyLine: RegExp
  readonly readyWithinMs: number
  readonly stopSignal: NodeJS.Signals
  readonly watch: ParentWatch
  readonly log?: ((line: string) => void) | undefined
}

export interface ChildServer {
  readonly pid: number
  /** Resolves once the child has ended, in good order or by SIGKILL after 10 s. */
  stop(): Promise<void>
}

/** A started server must not keep this process from ending; the watcher then ends the server. */
const setReferenced = (child: ChildProcess, referenced: boolean) => {
  if (referenced) child.ref()
  else child.unref()
  for (const stream of [child.stdout, child.stderr]) {
    if (!(stream instanceof Socket)) continue
    if (referenced) stream.ref()
    else stream.unref()
  }
}

const awaitReady = (
  child: ChildProcess,
  options: ChildServerOptions,
  seen: { onLine: (line: string) => void },
  output: OutputLines,
): Promise<number> =>
  new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer)
      seen.onLine = () => undefined
      reject(new EmbeddedServerError(`${options.name} ${why}\n${output.tail()}`.trimEnd()))
    }
    const timer = setTimeout(
      () => fail(`was not ready after ${options.readyWithinMs} ms`),
      options.readyWithinMs,
    )
    child.once('error', error => fail(`could not be started: ${error.message}`))
    // 'close' comes after the last output, which the error can then show.
    child.once('close', (code, signal) => fail(`ended while starting (${signal ?? code})`))
    seen.onLine = line => {
      if (!options.readyLine.test(line) || child.pid === undefined) return
      clearTimeout(timer)
      seen.onLine = () => undefined
      resolve(child.pid)
    }
  })

/**
 * Starts a server in a session of its own, so that Ctrl-C reaches this process only, and waits for its ready line.
 * @throws EmbeddedServerError with the child's last lines, once the child has ended
 */
export const startChildServer = async (options: ChildServerOptions): Promise<ChildServer> => {
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options.identity,
    ...(options.env && { env: options.env }),
  })
  if (child.pid !== undefined) options.watch.watch(child.pid, options.stopSignal)
  const seen = { onLine: (_line: string): void => undefined }
  const output = readOutputLines([child.stdout, child.stderr], line => {
    options.log?.(line)
    seen.onLine(line)
  })
  const ended = new Promise<void>(resolve => {
    child.once('error', () => resolve())
    child.once('exit', () => {
      options.watch.free()
      resolve()
    })
  })
  const end = async () => {
    const killer = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
    setReferenced(child, true)
    child.kill(options.stopSignal)
    await ended
    clearTimeout(killer)
  }
  try {
    const pid = await awaitReady(child, options, seen, output)
    setReferenced(child, false)
    let stopping: Promise<void> | null = null
    return {
      pid,
      stop: () => {
        stopping ??= end()
        return stopping
      },
    }
  } catch (error) {
    if (child.pid !== undefined) await end()
    throw error
  }
}
