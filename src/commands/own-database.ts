/** The embedded PostgreSQL that keeps the runs of `move` in a directory, for want of DATABASE_URL. */
import { join, resolve } from 'node:path'
import { NoPlaceError } from '../embedded/embedded-server-error'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded/postgres'
import { asUsage, CommandError, exitCode } from './exit-code'

/** Starts it; made if it is not there yet. Ends the command if the directory cannot be used. */
export const startOwnDatabase = async (dataDir: string): Promise<EmbeddedPostgres> => {
  if (dataDir === '') throw new CommandError('--data-dir is empty: give a directory', exitCode.usage)
  return startEmbeddedPostgres({ dataDir: join(resolve(dataDir), 'postgres') }).catch((error: unknown) => {
    if (error instanceof NoPlaceError) return asUsage(error)
    throw error
  })
}
