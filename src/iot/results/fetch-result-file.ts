import type { IncomingHttpHeaders } from 'node:http'
import { map, Observable, raceWith, timer } from 'rxjs'
import type { FetchedResults } from '../../ports/job-api'
import type { ResultFile } from '../../ports/journal'
import { fieldsOf, plainText, textOf } from '../client/answer-fields'
import { type HostCheck, type Resolve, resolveHost, systemResolve } from './allowed-host'
import { encodingOf, httpGet, readCapped } from './http-get'

export interface FetchFileOptions {
  readonly check: HostCheck
  readonly resolve?: Resolve
  /** For the whole file, ms. Default 60,000. */
  readonly deadlineMs?: number
  /** Longest silence of the other side, ms. Default 15,000. */
  readonly idleMs?: number
  /** Of the decoded body. Default 16 MiB. */
  readonly maxBytes?: number
}

export type FetchedFile =
  | { readonly kind: 'file'; readonly file: ResultFile }
  | Exclude<FetchedResults, { kind: 'rows' }>

/** OSS says so in a header or in its XML: help.aliyun.com/en/oss/user-guide/0002-00000069. */
const expiredCode = '0002-00000069'
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
  // They would lead past the list of hosts.
  if (status >= 300 && status < 400)
    return withoutBody(unreadable(`HTTP ${status}: a redirect, which is not followed`))
  const encoding = encodingOf(headers['content-encoding'])
  if (encoding === null)
    return withoutBody(
      unreadable(`content-encoding ${plainText(headers['content-encoding'] ?? '', 60)} is not read`),
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

/** Its code, never its message: that may hold the signed URL. */
const codeOf = (error: unknown): string =>
  plainText(textOf(fieldsOf(error), 'code') ?? 'connection broken', 100)

/** Zlib's codes: the body is not what its header says, and will not be next time. */
const afterError = (code: string): FetchedFile =>
  code.startsWith('Z_') ? unreadable(`cannot be decoded: ${code}`) : unreachable(code)

/**
 * Fetches one result file. Subscribing sends the request, unsubscribing aborts it. Emits one value: the file as
 * received (decoded), or why there is none. Nothing is thrown for what the other side does.
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
    download(checked.url, abort.signal, limits).then(answer, error => answer(afterError(codeOf(error))))
    return () => abort.abort()
  }).pipe(raceWith(timer(deadlineMs).pipe(map(() => unreachable(`not complete within ${deadlineMs} ms`)))))
}
