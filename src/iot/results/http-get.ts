import type { LookupAddress } from 'node:dns'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

export interface GetOptions {
  /** Of the host, checked. The connection goes to one of these; the resolver is not asked. */
  readonly addresses: readonly LookupAddress[]
  readonly signal: AbortSignal
  /** Longest silence on the connection, its making included, ms. */
  readonly idleMs: number
}

const among =
  (addresses: readonly LookupAddress[]): LookupFunction =>
  (_hostname, { all, family }, callback) => {
    const [first] = addresses
    if (all) callback(null, [...addresses])
    else callback(null, first?.address ?? '', first?.family ?? (family === 6 ? 6 : 4))
  }

const idle = (idleMs: number): Error => Object.assign(new Error(), { code: `silent for ${idleMs} ms` })

/**
 * One GET on a connection of its own; no redirect is followed, no cookie kept, no proxy used. Resolves with the head
 * of the answer, its body still to be read. Rejects, or breaks the body off, with an Error that has a `code`.
 */
export const httpGet = (url: URL, { addresses, signal, idleMs }: GetOptions): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const send = url.protocol === 'http:' ? httpRequest : httpsRequest
    const request = send(url, {
      agent: false,
      lookup: among(addresses),
      signal,
      timeout: idleMs,
      headers: { accept: '*/*', 'accept-encoding': 'gzip' },
    })
    // Whoever reads is told: the waiter for the head, then the reader of the body.
    let read: ClientRequest | IncomingMessage = request
    request.on('timeout', () => read.destroy(idle(idleMs)))
    request.on('error', reject)
    request.on('response', response => {
      read = response
      resolve(response)
    })
    request.end()
  })

export interface CappedBody {
  readonly body: Uint8Array
  /** false: there is more than the cap. */
  readonly complete: boolean
}

export type Encoding = 'identity' | 'gzip'

/** The one encoding of a body; null for what is not read: others, and chains, which multiply what a bomb grows to. */
export const encodingOf = (header: string | undefined): Encoding | null => {
  const name = (header ?? '').trim().toLowerCase()
  if (name === '' || name === 'identity') return 'identity'
  return name === 'gzip' || name === 'x-gzip' ? 'gzip' : null
}

const decoded = (raw: Readable): Readable =>
  // What breaks one stream breaks the one that is read, whose reader gets the error: nothing is left to call back.
  pipeline(raw, createGunzip(), () => undefined)

/**
 * Reads a body as a stream, decoded, and stops at `maxBytes`: what a compressed body grows to is known only then, and
 * the decoder never gets further ahead than its own small buffer.
 */
export const readCapped = async (
  raw: Readable,
  encoding: Encoding,
  maxBytes: number,
): Promise<CappedBody> => {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of encoding === 'gzip' ? decoded(raw) : raw) {
    const bytes: Uint8Array = piece
    pieces.push(bytes)
    size += bytes.byteLength
    // Leaving the loop destroys the stream, and with it the connection.
    if (size > maxBytes) return { body: Buffer.concat(pieces, maxBytes), complete: false }
  }
  return { body: Buffer.concat(pieces), complete: true }
}
