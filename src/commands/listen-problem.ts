/** Apart from the problems of servers, so that the simulator starts without loading their clients (150 ms). */
import { isNativeError } from 'node:util/types'
import { CommandError, exitCode } from './exit-code'

const noSuchHost = 'there is no such host'

/** What the system's codes mean when an address cannot be listened on. */
const meanings: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EADDRNOTAVAIL: 'it is no address of this machine',
  EACCES: 'this user may not listen there',
  ENOTFOUND: noSuchHost,
  EAI_AGAIN: noSuchHost,
}

/**
 * Why an address cannot be listened on, in one sentence; null for any other error.
 * @param settings what says where to listen
 */
export const listenProblem = (error: unknown, settings: string): CommandError | null => {
  if (!isNativeError(error) || !('code' in error && 'syscall' in error)) return null
  const { code, syscall } = error
  const why = meanings[String(code)]
  if (why === undefined || (syscall !== 'listen' && syscall !== 'getaddrinfo')) return null
  const {
    hostname,
    address = hostname,
    port,
  } = error as { hostname?: string; address?: string; port?: number }
  const place = port === undefined ? address : `${address}:${port}`
  return new CommandError(
    `Cannot listen on ${place}: ${why}. Change ${settings}.`,
    code === 'EADDRINUSE' ? exitCode.failed : exitCode.usage,
  )
}
