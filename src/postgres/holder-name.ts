import { applicationName } from './session'

/** PostgreSQL cuts the name of a session after so many characters. */
const maxSessionName = 63

/** What every session of a replica is called: by this name the next holder of the lease finds them and ends them. */
export const sessionNameOf = (holder: string): string => `${applicationName}/${holder}`

/**
 * Names a replica: for people its host and process, for the database something that no other process is called.
 * Fits into the name of a session. `unique`: letters and digits.
 */
export const holderName = (host: string, pid: number, unique: string): string => {
  const rest = `/${pid}/${unique}`
  // The server replaces what is not ASCII.
  const plain = host.replace(/[^!-~]/g, '?')
  return plain.slice(0, maxSessionName - sessionNameOf(rest).length) + rest
}
