import { Pool, type PoolClient } from 'pg'
import { type SessionOptions, sessionConfig } from './session'

export type { Pool }

export interface PoolOptions extends SessionOptions {
  /** Most connections at once. */
  readonly max: number
  /** A connection broke while nobody or somebody used it; the pool goes on without it. */
  readonly onError: (error: Error) => void
}

/** A pool whose connections look into the journal's schema. */
export const createPool = (url: string, { max, onError, ...session }: PoolOptions): Pool => {
  const pool = new Pool({ ...sessionConfig(url, session), max })
  pool.on('error', onError)
  // A connection in use has no listener of the pool's: without one its loss would end the process.
  pool.on('connect', (client: PoolClient) => client.on('error', onError))
  return pool
}
