import { readFile, stat } from 'node:fs/promises'
import type { Identity } from './child-server'
import { EmbeddedServerError } from './embedded-server-error'

const accounts = ['postgres', 'nobody', 'daemon']

/** PostgreSQL looks its account up by number, so it must be one that exists. */
const findAccount = async (): Promise<Identity> => {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map(line => line.split(':'))
  for (const account of accounts) {
    const fields = lines.find(([name]) => name === account)
    const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])]
    if (uid > 0) return { uid, gid }
  }
  throw new EmbeddedServerError(
    `PostgreSQL refuses to run as root, and none of the accounts ${accounts.join(', ')} exists: ` +
      'run this as an ordinary user, or set DATABASE_URL',
  )
}

/**
 * The account for PostgreSQL: none for an ordinary user (it runs as that user); for root the one that owns the data
 * already, else an unprivileged one.
 */
export const serverIdentity = async (dataDir: string): Promise<Identity | undefined> => {
  if (process.getuid?.() !== 0) return undefined
  const owner = await stat(dataDir).catch(() => null)
  return owner !== null && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : findAccount()
}
