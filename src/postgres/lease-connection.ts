import { Client } from 'pg'
import { sessionNameOf } from './holder-name'
import { sessionConfig } from './session'

/**
 * A connection for the lease alone: a busy pool must not starve it. Each answer may take `timeoutMs`, after that
 * the connection is given up. The server gives up before: else a statement nobody waits for any longer could still
 * get its lock, and take the lease for a process that does not know.
 */
export const connect = async (url: string, holder: string, timeoutMs: number): Promise<Client> => {
  const client = new Client({
    ...sessionConfig(url, {
      name: sessionNameOf(holder),
      statementMs: Math.ceil(timeoutMs * 0.8),
      answerMs: timeoutMs,
    }),
    connectionTimeoutMillis: timeoutMs,
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
