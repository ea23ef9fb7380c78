import { messageOf } from '../domain/error-text'

/** What a command's exit status says. */
export const exitCode = {
  done: 0,
  failed: 1,
  /** Bad usage or configuration. */
  usage: 2,
  /** Finished, but some moves failed or lines were refused. */
  someFailed: 3,
  /** Ctrl-C. */
  interrupted: 130,
} as const

/** Ends a command with a text for people and a status; no stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  constructor(
    text: string,
    readonly status: number = exitCode.failed,
  ) {
    super(text)
  }
}

/** What went wrong was the caller's to know: its text, and the status of bad usage. */
export const asUsage = (error: unknown): never => {
  throw new CommandError(messageOf(error), exitCode.usage)
}
