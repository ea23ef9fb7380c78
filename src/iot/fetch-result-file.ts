import { Observable } from 'rxjs'
import type { FetchedResults, ResultFile } from '../ports'
import type { HostCheck } from './allowed-host'
import { fieldsOf, textOf } from './answer-fields'
import { readCapped } from './read-capped'
import { plainText } from './scrub'

export interface FetchFileOptions {
  readonly check: HostCheck
  /** For the whole file, ms. Default 60,000. */
  readonly deadlineMs?: number
  /** Of the decoded body. Default 64 MiB. */
  readonly maxBytes?: number
}

export type FetchedFile =
  | { readonly kind: 'file'; readonly file: ResultFile }
  | Exclude<FetchedResults, { kind: 'rows' }>

/** OSS says so in a header or in its XML: help.aliyun.com/en/oss/user-guide/0002-00000069. */
const expiredCode = '0002-00000069'
const longestErrorPage = 64 * 1024

const saysExpired = (body: Uint8Array, headers: Headers): boolean =>
  headers.get('x-oss-ec') === expiredCode ||
  new RegExp(`${expiredCode}|expired`, 'i').test(new TextDecoder().decode(body))

const unreadable = (message: string, file: ResultFile | null = null): FetchedFile => ({
  kind: 'unreadable',
  message,
  file,
})
const unreachable = (message: string): FetchedFile => ({ kind: 'unreachable', message })

const download = async (url: URL, signal: AbortSignal, maxBytes: number): Promise<FetchedFile> => {
  // Redirects are not followed: they would lead past the list of hosts.
  const response = await fetch(url, { redirect: 'manual', signal })
  const { status, headers } = response
  const contentType = headers.get('content-type')
  if (status >= 500 || status === 408 || status === 429) {
    await response.body?.cancel()
    return unreachable(`HTTP ${status} from ${url.hostname}`)
  }
  if (status >= 300 && status < 400) {
    await response.body?.cancel()
    return unreadable(`HTTP ${status}: a redirect, which is not followed`)
  }
  const { body, complete } = await readCapped(response, status === 200 ? maxBytes : longestErrorPage)
  if (status === 403 && saysExpired(body, headers)) return { kind: 'expired' }
  if (status !== 200) return unreadable(`HTTP ${status} from ${url.hostname}`, { body, contentType })
  if (!complete) return unreadable(`larger than ${maxBytes} bytes`, { body, contentType })
  return { kind: 'file', file: { body, contentType } }
}

/** Its code, never its message: that may hold the signed URL. */
const codeOf = (error: unknown): string => {
  const { cause, code } = fieldsOf(error)
  return plainText(
    textOf(fieldsOf(cause), 'code') ?? (typeof code === 'string' ? code : 'connection broken'),
    100,
  )
}

/** Zlib's codes: the body is not what its header says, and will not be next time. */
const afterError = (code: string): FetchedFile =>
  code.startsWith('Z_') ? unreadable(`cannot be decoded: ${code}`) : unreachable(code)

/**
 * Fetches one result file. Subscribing sends the request, unsubscribing aborts it. Emits one value: the file as
 * received (decoded), or why there is none. Nothing is thrown for what the other side does.
 */
export const fetchResultFile = (address: string, options: FetchFileOptions): Observable<FetchedFile> => {
  const { check, deadlineMs = 60_000, maxBytes = 64 * 1024 * 1024 } = options
  return new Observable(subscriber => {
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
    const deadline = setTimeout(() => abort.abort(), deadlineMs)
    download(checked.url, abort.signal, maxBytes).then(answer, error =>
      answer(
        abort.signal.aborted
          ? unreachable(`not complete within ${deadlineMs} ms`)
          : afterError(codeOf(error)),
      ),
    )
    return () => {
      clearTimeout(deadline)
      abort.abort()
    }
  })
}
