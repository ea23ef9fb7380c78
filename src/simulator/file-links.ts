import { createHmac } from 'node:crypto'

export type LinkCheck =
  | { readonly kind: 'valid'; readonly jobId: string }
  | { readonly kind: 'refused'; readonly code: string; readonly ec: string; readonly message: string }

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
      // Object storage knows whole seconds only, so a link lives up to a second longer than asked.
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
      return { kind: 'valid', jobId: /^\/job([^/]+)\//.exec(path)?.[1] ?? '' }
    },
  }
}

export type FileLinks = ReturnType<typeof createFileLinks>
