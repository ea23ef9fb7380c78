#!/usr/bin/env node
import { CommanderError } from 'commander'
import { redact } from './commands/configured'
import { CommandError, exitCode } from './commands/exit-code'
import { endAtNextSignal, writtenOut } from './commands/process-end'
import { createProgram } from './commands/program'
import { EmbeddedServerError } from './tools/embedded/embedded-server-error'

const say = (text: string): void => {
  process.stderr.write(redact(`${text}\n`))
}

/**
 * Ends the process without waiting for timers of calls that have been given up, which would keep it for seconds. It
 * waits only for a reader that is slower than the command, since what does not fit into the pipe yet would be lost.
 */
const exit = async (status: number): Promise<never> => {
  endAtNextSignal()
  await Promise.all([process.stdout, process.stderr].map(writtenOut))
  // The error of a failed write to standard output is emitted one turn later.
  await new Promise(setImmediate)
  return process.exit(status)
}

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

// An unforeseen error ends the process, as it does by default. Node's own text would show every field of the error.
process.on('uncaughtException', error => {
  say(textOf(error))
  process.exit(exitCode.failed)
})

// A reader that has seen enough (`| head -1`) has closed the pipe, which is no error. Any other failed write is reported
// here only.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') say(`Standard output cannot be written: ${error.message}`)
  process.exit(exitCode.failed)
})

const isExpected = (error: unknown): error is Error =>
  error instanceof CommandError || error instanceof EmbeddedServerError

const fail = async (error: unknown): Promise<void> => {
  if (error instanceof CommanderError) {
    // Help and version end with 0. In all other cases commander has already said what is wrong.
    process.exitCode = error.exitCode === 0 ? exitCode.done : exitCode.usage
    return
  }
  say(isExpected(error) ? error.message : textOf(error))
  await exit(error instanceof CommandError ? error.status : exitCode.failed)
}

createProgram(exit).parseAsync().catch(fail)
