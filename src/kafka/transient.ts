import { messageOf } from '../domain/message-of'
import { TransientError } from '../ports'

/** Any error of the client as one that another session may cure, with what was being done. */
export const transientOf = (error: unknown, doing: string): TransientError =>
  error instanceof TransientError
    ? error
    : new TransientError(`${doing}: ${messageOf(error)}`, {
        cause: error,
      })
