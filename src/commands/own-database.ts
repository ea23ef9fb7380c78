/** The embedded PostgreSQL that keeps the runs of `move` in a directory, for want of DATABASE_URL. */
import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { NoPlaceError } from '../embedded/embedded-server-error'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded/postgres'
import { asUsage, CommandError, exitCode } from './exit-code'

const homeIn = (dataDir: string): string => {
  if (dataDir === '') throw new CommandError('--data-dir is empty: give a directory', exitCode.usage)
  return join(resolve(dataDir), 'postgres')
}

/** Starts it; made if it is not there yet. Ends the command if the directory cannot be used. */
export const startOwnDatabase = async (dataDir: string): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dataDir: homeIn(dataDir) }).catch((error: unknown) => {
    if (error instanceof NoPlaceError) return asUsage(error)
    throw error
  })

/** Starts the one that a `move` has made; ends the command if there is none. */
export const openOwnDatabase = async (dataDir: string): Promise<EmbeddedPostgres> => {
  await access(homeIn(dataDir)).catch(() => {
    throw new CommandError(`--data-dir ${dataDir}: no run of move is kept there`, exitCode.usage)
  })
  return startOwnDatabase(dataDir)
}
