import { createHmac } from 'node:crypto'

/** What may be wrong with a result file when it is fetched. */
export const fileFaults = [
  'html',
  'empty',
  'truncated',
  'huge',
  'gzip',
  'unavailable',
  'cut',
  'expired',
] as const

export type FileFault = (typeof fileFaults)[number]

/** The provider's format is not documented; these are likely ones. */
export interface FileFormat {
  readonly layout: 'json' | 'ndjson' | 'csv'
  readonly codes: 'number' | 'text'
  readonly keys: 'pascal' | 'camel' | 'lower'
}

export interface FileRow {
  readonly deviceName: string
  readonly code: string
  readonly message: string | null
}

const fields = ['ProductKey', 'DeviceName', 'Code', 'Message'] as const

const spellings = {
  pascal: (name: string) => name,
  camel: (name: string) => name.charAt(0).toLowerCase() + name.slice(1),
  lower: (name: string) => name.toLowerCase(),
}

const quoted = (cell: string | number | null): string =>
  typeof cell === 'string' && /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : String(cell ?? '')

/** The file as text, with its rows in the order given. */
export const renderResultFile = (
  format: FileFormat,
  productKey: string,
  rows: readonly FileRow[],
): string => {
  const names = fields.map(spellings[format.keys])
  const cells = (row: FileRow): (string | number | null)[] => {
    const numeric = format.codes === 'number' && /^\d+$/.test(row.code)
    return [productKey, row.deviceName, numeric ? Number(row.code) : row.code, row.message]
  }
  if (format.layout === 'csv')
    return `${[names, ...rows.map(cells)].map(line => line.map(quoted).join(',')).join('\r\n')}\r\n`
  const objects = rows.map(row => {
    const values = cells(row)
    return JSON.stringify(Object.fromEntries(names.map((name, at) => [name, values[at]])))
  })
  return format.layout === 'json' ? `[${objects.join(',')}]` : objects.map(line => `${line}\n`).join('')
}

export const contentTypeOf = (format: FileFormat): string =>
  ({ json: 'application/json', ndjson: 'application/x-ndjson', csv: 'text/csv' })[format.layout]

export type LinkCheck =
  | { readonly kind: 'valid'; readonly jobId: string }
  | { readonly kind: 'refused'; readonly code: string; readonly ec: string; readonly message: string }

/** The job whose result file lies at `path`; empty: none. */
export const jobIdIn = (path: string): string => /^\/job([^/]+)\//.exec(path)?.[1] ?? ''

/** Signed URLs of result files, as object storage makes them: valid until `Expires`, in seconds since 1970. */
export const createFileLinks = (secret: string, validMs: number) => {
  const sign = (path: string, expires: string) =>
    createHmac('sha1', secret).update(`GET\n${expires}\n${path}`).digest('base64')
  const pathOf = (jobId: string) =>
    `/job${jobId}/7u${createHmac('sha1', secret).update(jobId).digest('hex').slice(0, 20)}`

  return {
    /** A fresh URL under `origin` (http://host:port). */
    make(origin: string, jobId: string, now: number): string {
      const path = pathOf(jobId)
      // Object storage counts in whole seconds, so a link lives up to a second longer than asked.
      const expires = String(Math.ceil((now + validMs) / 1000))
      const query = new URLSearchParams({
        Expires: expires,
        OSSAccessKeyId: 'simulator',
        Signature: sign(path, expires),
      })
      return `${origin}${path}?${query}`
    },
    check(path: string, query: URLSearchParams, now: number): LinkCheck {
      const expires = query.get('Expires') ?? ''
      if (sign(path, expires) !== query.get('Signature')) {
        const message = 'The request signature we calculated does not match the signature you provided.'
        return { kind: 'refused', code: 'SignatureDoesNotMatch', ec: '0002-00000040', message }
      }
      if (now >= Number(expires) * 1000)
        return { kind: 'refused', code: 'AccessDenied', ec: '0002-00000069', message: 'Request has expired.' }
      return { kind: 'valid', jobId: jobIdIn(path) }
    },
  }
}

export type FileLinks = ReturnType<typeof createFileLinks>
