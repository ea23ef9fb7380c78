/** Downloads one result file from object storage: an allowed host, no redirect, a capped size. */
import type { LookupAddress } from 'node:dns'
import {
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { map, Observable, raceWith, timer } from 'rxjs'
import { codeOf } from '../../domain/error-text'
import { oneLine } from '../../domain/plain-text'
import type { FetchedResults } from '../../ports/job-api'
import type { ResultFile } from '../../ports/journal'
import { type HostCheck, type Resolve, resolveHost, systemResolve } from './allowed-host'

export interface FetchFileOptions {
  readonly check: HostCheck
  readonly resolve?: Resolve
  /** Longest time for the whole file, ms. Default 60,000. */
  readonly deadlineMs?: number
  /** Longest silence of the other side, ms. Default 15,000. */
  readonly idleMs?: number
  /** Most bytes of the decoded body. Default 16 MiB. */
  readonly maxBytes?: number
}

export type FetchedFile =
  | { readonly kind: 'file'; readonly file: ResultFile }
  | Exclude<FetchedResults, { kind: 'rows' }>

interface GetOptions {
  /** Checked addresses of the host. The connection goes to one of these, and the resolver is not asked again. */
  readonly addresses: readonly LookupAddress[]
  readonly signal: AbortSignal
  /** Longest silence on the connection, connecting included, ms. */
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
 * One GET on a connection of its own. It follows no redirect, keeps no cookie and uses no proxy. Resolves with the head of
 * the answer, whose body is still to be read. Rejects, or breaks the body off, with an Error that has a `code`.
 */
const httpGet = (url: URL, { addresses, signal, idleMs }: GetOptions): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const send = url.protocol === 'http:' ? httpRequest : httpsRequest
    const request = send(url, {
      agent: false,
      lookup: among(addresses),
      signal,
      timeout: idleMs,
      headers: { accept: '*/*', 'accept-encoding': 'gzip' },
    })
    // A timeout breaks what is read at that moment: the request until its head is there, then the body.
    let read: ClientRequest | IncomingMessage = request
    request.on('timeout', () => read.destroy(idle(idleMs)))
    request.on('error', reject)
    request.on('response', response => {
      read = response
      resolve(response)
    })
    request.end()
  })

interface CappedBody {
  readonly body: Uint8Array
  /** False when there is more than the cap. */
  readonly complete: boolean
}

type Encoding = 'identity' | 'gzip'

/** The encoding of a body; null for one that is not read: any other, and a chain, which multiplies what a bomb grows to. */
const encodingOf = (header: string | undefined): Encoding | null => {
  const name = (header ?? '').trim().toLowerCase()
  if (name === '' || name === 'identity') return 'identity'
  return name === 'gzip' || name === 'x-gzip' ? 'gzip' : null
}

const decoded = (raw: Readable): Readable =>
  // An error of either stream breaks the decoded one, whose reader gets it, so the callback has nothing to do.
  pipeline(raw, createGunzip(), () => undefined)

/**
 * Reads a body as a decoded stream and stops at `maxBytes`. What a compressed body grows to is known only while it is
 * decoded, and the decoder is never ahead by more than its own small buffer.
 */
const readCapped = async (raw: Readable, encoding: Encoding, maxBytes: number): Promise<CappedBody> => {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of encoding === 'gzip' ? decoded(raw) : raw) {
    const bytes: Uint8Array = piece
    pieces.push(bytes)
    size += bytes.byteLength
    // Leaving the loop destroys the stream and with it the connection.
    if (size > maxBytes) return { body: Buffer.concat(pieces, maxBytes), complete: false }
  }
  return { body: Buffer.concat(pieces), complete: true }
}

/** OSS gives this code in a header or in its XML: help.aliyun.com/en/oss/user-guide/0002-00000069. */
const expiredCode = '0002-00000069'
/** Most bytes that are read of an error page. */
const longestErrorPage = 64 * 1024

const saysExpired = (body: Uint8Array, headers: IncomingHttpHeaders): boolean =>
  headers['x-oss-ec'] === expiredCode ||
  new RegExp(`${expiredCode}|expired`, 'i').test(new TextDecoder().decode(body))

const unreadable = (message: string, file: ResultFile | null = null): FetchedFile => ({
  kind: 'unreadable',
  message,
  file,
})
const unreachable = (message: string): FetchedFile => ({ kind: 'unreachable', message })

type Limits = Required<Omit<FetchFileOptions, 'check' | 'deadlineMs'>>

const download = async (url: URL, signal: AbortSignal, limits: Limits): Promise<FetchedFile> => {
  const { resolve, idleMs, maxBytes } = limits
  const host = await resolveHost(url.hostname, resolve)
  if ('refusal' in host) return unreadable(host.refusal)
  const response = await httpGet(url, { addresses: host.addresses, signal, idleMs })
  const { statusCode: status = 0, headers } = response
  const contentType = headers['content-type'] ?? null
  const withoutBody = (answer: FetchedFile): FetchedFile => {
    response.destroy()
    return answer
  }
  if (status >= 500 || status === 408 || status === 429)
    return withoutBody(unreachable(`HTTP ${status} from ${url.hostname}`))
  // A redirect would lead past the list of hosts.
  if (status >= 300 && status < 400)
    return withoutBody(unreadable(`HTTP ${status}: a redirect, which is not followed`))
  const encoding = encodingOf(headers['content-encoding'])
  if (encoding === null)
    return withoutBody(
      unreadable(`content-encoding ${oneLine(headers['content-encoding'] ?? '', 60)} is not read`),
    )
  const { body, complete } = await readCapped(
    response,
    encoding,
    status === 200 ? maxBytes : longestErrorPage,
  )
  if (status === 403 && saysExpired(body, headers)) return { kind: 'expired' }
  if (status !== 200) return unreadable(`HTTP ${status} from ${url.hostname}`, { body, contentType })
  if (!complete) return unreadable(`larger than ${maxBytes} bytes`, { body, contentType })
  return { kind: 'file', file: { body, contentType } }
}

/** The code of an error, never its message, which may hold the signed URL. */
const reasonOf = (error: unknown): string => oneLine(codeOf(error) ?? '', 100) || 'connection broken'

/** With a code of zlib the body is not what its header says, and it will not be next time. */
const afterError = (code: string): FetchedFile =>
  code.startsWith('Z_') ? unreadable(`cannot be decoded: ${code}`) : unreachable(code)

/**
 * Fetches one result file. Subscribing sends the request, and unsubscribing aborts it. Emits one value: the file as
 * received (decoded), or why there is none. Nothing that the other side does is thrown.
 */
export const fetchResultFile = (address: string, options: FetchFileOptions): Observable<FetchedFile> => {
  const { check, deadlineMs = 60_000, resolve = systemResolve, idleMs = 15_000 } = options
  const limits: Limits = { resolve, idleMs, maxBytes: options.maxBytes ?? 16 * 1024 * 1024 }
  return new Observable<FetchedFile>(subscriber => {
    const checked = check(address)
    const answer = (value: FetchedFile) => {
      subscriber.next(value)
      subscriber.complete()
    }
    if ('refusal' in checked) {
      answer(unreadable(checked.refusal))
      return
    }
    const abort = new AbortController()
    download(checked.url, abort.signal, limits).then(answer, error => answer(afterError(reasonOf(error))))
    return () => abort.abort()
  }).pipe(raceWith(timer(deadlineMs).pipe(map(() => unreachable(`not complete within ${deadlineMs} ms`)))))
}
