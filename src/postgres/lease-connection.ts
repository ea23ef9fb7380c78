import { Client } from 'pg'
import { sessionConfig } from './session'

/**
 * A connection for the lease alone: a busy pool must not starve it. Each answer may take `timeoutMs`, after that
 * the connection is given up.
 */
export const connect = async (url: string, timeoutMs: number): Promise<Client> => {
  const client = new Client({
    ...sessionConfig(url),
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  })
  // Its next query fails, and that is where it is dealt with.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** Closes it, whatever state it is in, without waiting for a server that may never answer. */
export const close = async (client: Client | null): Promise<void> => {
  client?.end().catch(() => undefined)
}
