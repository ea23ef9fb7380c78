/** What a command's exit status says, and the errors that end a command with one. */
import { messageOf } from '../domain/error-text'

export const exitCode = {
  done: 0,
  failed: 1,
  /** Bad usage or configuration. */
  usage: 2,
  /** The command has finished, but some moves failed or some lines were refused. */
  someFailed: 3,
  /** Ended by Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const

/** Ends a command with a text for people, without a stack, and an exit status. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  constructor(
    text: string,
    readonly status: number = exitCode.failed,
  ) {
    super(text)
  }
}

/** Ends a command that was not called or configured as it must be. */
export const usageError = (text: string): never => {
  throw new CommandError(text, exitCode.usage)
}

/** Ends a command with the text of an error that its caller has to mend. */
export const asUsage = (error: unknown): never => usageError(messageOf(error))
