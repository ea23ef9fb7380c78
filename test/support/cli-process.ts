import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const cli = join(__dirname, '../../dist/cli.js')

export interface CliProcess {
  readonly child: ChildProcess
  /** The lines so far. */
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  /** Resolves with the first line of either stream that fits, past ones included. Rejects if the process ends before. */
  line(fits: (line: string) => boolean): Promise<string>
  /** The same, but for lines from now on only. */
  nextLine(fits: (line: string) => boolean): Promise<string>
  /** Resolves with the exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  kill(signal: NodeJS.Signals): void
}

/** Kills every child when the tests end, frozen ones too. */
const living = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

/**
 * Starts the built command line as a process. Of the test's own environment it gets PATH and HOME only. `out` is its
 * stdout.
 */
export const startCli = (
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  stdin: string | null = null,
  nodeFlags: readonly string[] = [],
  out: number | 'pipe' = 'pipe',
): CliProcess => {
  const child = spawn(process.execPath, [...nodeFlags, cli, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    stdio: ['pipe', out, 'pipe'],
  })
  living.add(child)
  const stdout: string[] = []
  const stderr: string[] = []
  const watchers = new Set<(line: string) => void>()
  const collect = (stream: NodeJS.ReadableStream | null, lines: string[]) =>
    stream !== null &&
    createInterface({ input: stream }).on('line', line => {
      lines.push(line)
      for (const watch of watchers) watch(line)
    })
  collect(child.stdout, stdout)
  collect(child.stderr, stderr)
  child.stdin?.end(stdin ?? '')
  // 'close' comes after the last line of both streams.
  const ended = once(child, 'close').then(([code, signal]): number | NodeJS.Signals => {
    living.delete(child)
    return code ?? signal
  })
  const nextLine = (fits: (line: string) => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const watch = (next: string): void => {
        if (!fits(next)) return
        watchers.delete(watch)
        resolve(next)
      }
      watchers.add(watch)
      ended.then(how =>
        reject(new Error(`ended with ${how} before that line:\n${stderr.slice(-20).join('\n')}`)),
      )
    })
  const line = async (fits: (line: string) => boolean): Promise<string> =>
    [...stdout, ...stderr].find(fits) ?? nextLine(fits)
  return { child, stdout, stderr, line, nextLine, ended, kill: signal => child.kill(signal) }
}

export interface EndedCli {
  /** The exit status, or the signal that ended it. */
  readonly status: number | NodeJS.Signals
  readonly out: string
  readonly err: string
}

/** Runs the built command line to its end. */
export const runCli = async (
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  stdin: string | null = null,
): Promise<EndedCli> => {
  const cli = startCli(args, environment, stdin)
  return { status: await cli.ended, out: cli.stdout.join('\n'), err: cli.stderr.join('\n') }
}

export interface StartedSimulator {
  readonly process: CliProcess
  readonly url: string
}

/** Starts the simulated provider and waits until it listens. */
export const startSimulator = async (
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<StartedSimulator> => {
  const simulator = startCli(['simulate', ...flags], environment)
  const line = await simulator.line(text => text.startsWith('{"listening"'))
  return { process: simulator, url: (JSON.parse(line) as { listening: string }).listening }
}

/** The URL at which a running service listens. */
export const urlOf = async (service: CliProcess): Promise<string> => {
  const line = await service.line(text => text.includes('"listening"'))
  return (JSON.parse(line) as { url: string }).url
}
