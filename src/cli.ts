#!/usr/bin/env node
import { CommanderError } from 'commander'
import { redact } from './commands/configured'
import { CommandError, exitCode } from './commands/exit-code'
import { writtenOut } from './commands/process-end'
import { createProgram } from './commands/program'
import { EmbeddedServerError } from './tools/embedded/embedded-server-error'

const say = (text: string): void => {
  process.stderr.write(redact(`${text}\n`))
}

/**
 * Ends the process at once: timers of calls that nobody waits for any longer would keep it for seconds. Only for a
 * reader slower than itself it waits: what does not fit into the pipe yet would be lost.
 */
const exit = async (status: number): Promise<never> => {
  await Promise.all([process.stdout, process.stderr].map(writtenOut))
  // That standard output could not be written is heard of a turn later.
  await new Promise(setImmediate)
  return process.exit(status)
}

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

// What nobody foresaw ends the process all the same; only that Node's own text would show every field of the error.
process.on('uncaughtException', error => {
  say(textOf(error))
  process.exit(exitCode.failed)
})

// A reader that has seen enough (`| head -1`) is told nothing more. What is lost is noticed here only.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') say(`Standard output cannot be written: ${error.message}`)
  process.exit(exitCode.failed)
})

const isExpected = (error: unknown): error is Error =>
  error instanceof CommandError || error instanceof EmbeddedServerError

const fail = async (error: unknown): Promise<void> => {
  if (error instanceof CommanderError) {
    // Help and version end with 0; commander has already said what is wrong otherwise.
    process.exitCode = error.exitCode === 0 ? exitCode.done : exitCode.usage
    return
  }
  say(isExpected(error) ? error.message : textOf(error))
  await exit(error instanceof CommandError ? error.status : exitCode.failed)
}

createProgram(exit).parseAsync().catch(fail)
