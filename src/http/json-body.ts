import type { IncomingMessage } from 'node:http'

const maxBytes = 16 * 1024

export type JsonBody =
  | { readonly kind: 'read'; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly kind: 'refused'; readonly status: 400 | 413 | 415; readonly error: string }

const refused = (status: 400 | 413 | 415, error: string): JsonBody => ({ kind: 'refused', status, error })

const bytesOf = async (request: IncomingMessage): Promise<Buffer | null> => {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request) {
    const bytes: Buffer = piece
    size += bytes.byteLength
    if (size > maxBytes) return null
    pieces.push(bytes)
  }
  return Buffer.concat(pieces)
}

/** The fields of a request's JSON object; none where there is no body. At most 16 KiB are read. */
export const readJsonBody = async (request: IncomingMessage): Promise<JsonBody> => {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return refused(413, 'the body is too large')
  const bytes = await bytesOf(request)
  if (bytes === null) return refused(413, 'the body is too large')
  if (bytes.byteLength === 0) return { kind: 'read', fields: {} }
  // A form of another site can send text or form fields, but not this.
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
    return refused(415, 'the body must be application/json')
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { kind: 'read', fields: { ...value } }
  } catch {
    return refused(400, 'the body is not JSON')
  }
  return refused(400, 'the body must be a JSON object')
}
