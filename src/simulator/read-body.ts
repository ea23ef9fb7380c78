import type { IncomingMessage } from 'node:http'

/** The whole body, chunked or not; null if it exceeds `maxBytes`. Rejects when the caller goes away. */
export const readBody = async (request: IncomingMessage, maxBytes: number): Promise<Buffer | null> => {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    // What is too much is read on to its end, so that the caller sees the answer and not a broken connection.
    if (bytes <= maxBytes) parts.push(part)
  }
  return bytes <= maxBytes ? Buffer.concat(parts) : null
}
