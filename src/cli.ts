#!/usr/bin/env node
import { redact } from './commands/configured'
import { exitCode } from './commands/exit-code'
import { endAtNextSignal, writtenOut } from './commands/process-end'
import { createProgram, endingAfter, textOf } from './commands/program'

const say = (text: string): void => {
  process.stderr.write(redact(`${text}\n`))
}

/** A reader of messages and log lines that hangs keeps a process that has ended for this long, ms. */
const readWithinMs = 2_000

/**
 * Ends the process without waiting for timers of calls that have been given up, which would keep it for seconds. It
 * waits only for a reader that is slower than the command, since what does not fit into the pipe yet would be lost: for
 * one of its output until a signal, for one of its messages two seconds.
 */
const exit = async (status: number): Promise<never> => {
  endAtNextSignal()
  await Promise.all([writtenOut(process.stdout), writtenOut(process.stderr, readWithinMs)])
  // The error of a failed write to standard output is emitted one turn later.
  await new Promise(setImmediate)
  return process.exit(status)
}

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

const fail = async (error: unknown): Promise<void> => {
  const { status, text } = endingAfter(error)
  if (text === null) {
    process.exitCode = status
    return
  }
  say(text)
  await exit(status)
}

createProgram(exit).parseAsync().catch(fail)
