import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { Account } from './account'
import { htmlAnswer } from './answer'
import type { AuditBook } from './audit'
import type { FaultSource } from './faults'
import { contentTypeOf, type FileFault, type LinkCheck, renderResultFile } from './result-file'

const MEGABYTE = 1024 * 1024

interface Served {
  readonly status: number
  readonly contentType: string
  readonly body: Buffer | Readable
  readonly encoding?: string
}

/** Errors of object storage are XML. */
const xmlError = (status: number, code: string, ec: string, message: string): Served => ({
  status,
  contentType: 'application/xml',
  body: Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>${code}</Code>\n  <Message>${message}</Message>\n  <EC>${ec}</EC>\n</Error>\n`,
  ),
})

const refusal = (link: LinkCheck & { kind: 'refused' }) => xmlError(403, link.code, link.ec, link.message)
const expired = () => xmlError(403, 'AccessDenied', '0002-00000069', 'Request has expired.')

const rubbish = function* (megabytes: number) {
  const block = Buffer.alloc(MEGABYTE, '{"DeviceName":"rubbish"},')
  for (let i = 0; i < megabytes; i++) yield block
}

const spoil = (fault: FileFault, file: Buffer, contentType: string, hugeMb: number): Served | null => {
  switch (fault) {
    case 'html':
      return { status: 200, contentType: 'text/html', body: Buffer.from(htmlAnswer(200, 'Welcome').body) }
    case 'empty':
      return { status: 200, contentType, body: Buffer.alloc(0) }
    case 'truncated':
      return { status: 200, contentType, body: file.subarray(0, Math.floor(file.length * 0.6)) }
    case 'huge':
      return { status: 200, contentType, body: Readable.from(rubbish(hugeMb)) }
    case 'gzip':
      return { status: 200, contentType, body: gzipSync(file), encoding: 'gzip' }
    case 'unavailable':
      return xmlError(503, 'ServiceUnavailable', '0024-00000001', 'Please try again later.')
    case 'expired':
      return expired()
    case 'cut':
      return null
  }
}

/** Serves result files behind their signed URLs, as object storage does. */
export const createFileServer = (account: Account, faults: FaultSource, audit: AuditBook) => {
  const render = (jobId: string, once: FileFault | null): Served | null => {
    const job = account.book.find(jobId)
    if (job === undefined)
      return xmlError(404, 'NoSuchKey', '0026-00000001', 'The specified key does not exist.')
    const product = { deviceName: '', code: '200', message: 'product' }
    const rows = account.rowsOf(job)
    const { format } = job.fate
    const listed = account.options.fileProductRow ? [product, ...rows] : rows
    const file = Buffer.from(renderResultFile(format, job.productKey, listed))
    const contentType = contentTypeOf(format)
    const fault = once ?? job.fate.fileFault
    if (fault === null) return { status: 200, contentType, body: file }
    audit.fault(`file ${fault}`)
    return spoil(fault, file, contentType, account.options.hugeFileMb)
  }

  return (url: URL, response: ServerResponse, at: number): void => {
    account.timeline.advance(at)
    const link = account.links.check(url.pathname, url.searchParams, at)
    const fault = link.kind === 'valid' ? faults.next('file') : null
    const served =
      link.kind === 'refused'
        ? refusal(link)
        : render(link.jobId, fault?.kind === 'file' ? fault.fault : null)
    if (served === null) {
      audit.download('cut')
      response.destroy()
      return
    }
    audit.download(served.status)
    const { status, contentType, body, encoding } = served
    const length = Buffer.isBuffer(body) ? { 'content-length': body.length } : {}
    const coding = encoding === undefined ? {} : { 'content-encoding': encoding }
    response.writeHead(status, { 'content-type': contentType, server: 'AliyunOSS', ...length, ...coding })
    if (Buffer.isBuffer(body)) response.end(body)
    else {
      // The reader may give up on a huge file.
      response.on('close', () => body.destroy())
      body.pipe(response)
    }
  }
}

export type FileServer = ReturnType<typeof createFileServer>
